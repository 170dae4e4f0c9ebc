//! From a deployment's image to a Packer template in HCL2's JSON form, in two renderings; pure and deterministic.
//!
//! [`template`] is the document. What the configuration says becomes defaults of its variables, so that the template can
//! be used without mqaws. [`Rendering`] says which Packer it is for; a test allows only a listed difference between the
//! two. [`PROVISION`] holds the files that the template provisions with.

mod document;
mod provision;
mod template;
mod variables;

pub use document::{
    BlockDevice, Build, Data, Dynamic, FilterContent, ManifestFile, MetadataOptions, PackerTemplate, ParameterStore,
    Plugin, PostProcessor, Provisioner, Requirements, Source, SourceFilter, Text, Variable,
};
pub use provision::{PROVISION, ProvisionFile, STEPS};
pub use template::{PackerError, Rendering, file_name, tags, template};
