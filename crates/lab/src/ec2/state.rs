//! What EC2 knows.

use super::catalog;
use super::instances::Instance;
use super::objects::{Kind, Objects, not_found};
use super::templates::Versions;
use crate::api::ApiError;
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::HashMap;

/// Everything that EC2 knows.
pub(super) struct State {
    /// Region.
    pub(crate) region: String,
    /// Records.
    pub(crate) objects: Objects,
    /// Versions of launch templates by template id.
    pub(crate) versions: HashMap<String, Versions>,
    /// Instances by id.
    pub(crate) instances: IndexMap<String, Instance>,
    /// Last host number given in each zone.
    pub(crate) last_number: [u8; 3],
}

impl State {
    /// A fresh account.
    pub(super) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            objects: catalog::seed(region),
            versions: HashMap::new(),
            instances: IndexMap::new(),
            last_number: [3; 3],
        }
    }

    /// An instance.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`.
    pub(super) fn instance(&self, id: &str) -> Result<&Instance, ApiError> {
        self.instances.get(id).ok_or_else(|| not_found(Kind::Instance, id))
    }

    /// Tags of anything that has an id.
    ///
    /// # Errors
    /// `InvalidID` for an id of no kind, the kind's `NotFound` otherwise.
    pub(super) fn tags_mut(&mut self, id: &str) -> Result<&mut IndexMap<String, String>, ApiError> {
        if let Some(instance) = self.instances.get_mut(id) {
            return Ok(&mut instance.tags);
        }
        let missing = match Kind::of_id(id) {
            Some(kind) => not_found(kind, id),
            None => ApiError::new("InvalidID", format!("The ID '{id}' is not valid")),
        };
        self.objects.any_mut(id).map(|o| &mut o.tags).ok_or(missing)
    }

    /// Carries changed tags to where the instance itself reads them.
    pub(super) fn tags_changed(&mut self, id: &str) {
        if let Some(instance) = self.instances.get(id) {
            instance.publish_tags();
        }
    }

    /// Every tag: resource id, kind, key, value.
    pub(super) fn all_tags(&self) -> Vec<(String, Kind, String, String)> {
        let of_instances = self.instances.iter().map(|(id, i)| (id, Kind::Instance, &i.tags));
        self.objects
            .all()
            .map(|(id, o)| (id, o.kind, &o.tags))
            .chain(of_instances)
            .flat_map(|(id, kind, tags)| tags.iter().map(move |(k, v)| (id.clone(), kind, k.clone(), v.clone())))
            .collect()
    }

    /// All records of a kind, as EC2 shows them.
    pub(super) fn shown(&self, kind: Kind) -> Vec<Value> {
        self.objects.of_kind(kind).map(|(_, o)| o.shown()).collect()
    }
}
