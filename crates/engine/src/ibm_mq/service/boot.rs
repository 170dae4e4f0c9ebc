//! From data on a shared file system to a queue manager that this host knows; under the fence, but for what writes to this host
//! alone.

use super::{Service, transient};
use crate::ibm_mq::tune;
use crate::ibm_mq::{CreateExit, CreateQueueManager, DriverError, QueueManagerInfo, data_path};
use crate::service::DataState;
use crate::service::Engine;
use crate::service::{EngineFailure, EngineInfo, FailureKind};
use mqaws_contract::PathComponent;

impl Service {
    /// Creates the queue manager or makes it known to this host, and tunes it.
    pub(super) fn make_known(&self, data: DataState) -> Result<EngineInfo, EngineFailure> {
        // A person may have cleared away since what was found under the lock.
        let own = data_path(&self.dirs().data, &self.queue_manager);
        let data = match data {
            DataState::HalfCreated if !own.exists() => DataState::Absent,
            DataState::HalfCreated if own.join("qm.ini").exists() => DataState::Present,
            found => found,
        };
        if data == DataState::HalfCreated {
            return Err(EngineFailure {
                kind: FailureKind::Shared,
                text: format!(
                    "the creation of {} was interrupted and left a directory without qm.ini in {}: delete it and it is created again",
                    self.queue_manager,
                    self.dirs().data.display()
                ),
            });
        }
        let mut info = self.info()?;
        // 10 is a warning. It must come before `dspmqinf`, which otherwise leaves a failure report behind.
        self.ensure(&self.driver.create_directories(), &[0, 10])?;
        if self.licence.exists() {
            self.ensure(&self.driver.accept_licence(&self.licence), &[0])?;
        }
        let known = self.run(&self.driver.display_info(&self.queue_manager))?.code == 0;
        info.how = match (known, data) {
            (true, DataState::Present) => "known".to_owned(),
            (_, DataState::Absent) => self.create()?,
            _ => self.add()?,
        };
        self.tune();
        Ok(info)
    }

    /// Makes the queue manager known to this host, whose data another host has: `mqs.ini` alone is written.
    pub(super) fn register_here(&self) -> Result<EngineInfo, EngineFailure> {
        let mut info = self.info()?;
        self.ensure(&self.driver.create_system_directories(), &[0, 10])?;
        if self.licence.exists() {
            self.ensure(&self.driver.accept_licence(&self.licence), &[0])?;
        }
        info.how = match self.run(&self.driver.display_info(&self.queue_manager))?.code {
            0 => "known".to_owned(),
            _ => self.add()?,
        };
        Ok(info)
    }

    fn add(&self) -> Result<String, EngineFailure> {
        let entry = QueueManagerInfo {
            name: self.queue_manager.clone(),
            directory: PathComponent::of_queue_manager(&self.queue_manager).into(),
            prefix: self.prefix.clone(),
            data_path: data_path(&self.dirs().data, &self.queue_manager),
        };
        self.ensure(&self.driver.add_info(&entry), &[0])?;
        Ok("made known".to_owned())
    }

    fn create(&self) -> Result<String, EngineFailure> {
        let dirs = self.dirs();
        let what = CreateQueueManager::new(&self.queue_manager, dirs.data, dirs.log);
        let output = self.run(&self.driver.create(&what))?;
        match CreateExit::from_code(output.code) {
            CreateExit::Created => Ok("created".to_owned()),
            // An earlier attempt of this very claim got that far; `strmqm` says whether it is whole.
            CreateExit::AlreadyExists => Ok("created before".to_owned()),
            exit => Err(transient(&DriverError::failed("crtmqm", exit, &output))),
        }
    }

    /// Checks `qm.ini`. Without its value a stall of 20 s ends the queue manager; that is no reason not to start it.
    fn tune(&self) {
        if self.own.is_empty() {
            return;
        }
        let path = data_path(&self.dirs().data, &self.queue_manager).join("qm.ini");
        let mut command = tune::command(&self.own, &self.queue_manager, &path);
        command.run_as = self.run_as;
        match self.run(&command) {
            Ok(output) if output.code == 0 => tracing::info!(result = output.text.trim(), "qm.ini"),
            Ok(output) => tracing::warn!(error = output.text.trim(), "qm.ini is not tuned for EFS"),
            Err(failure) => tracing::warn!(error = failure.text, "qm.ini is not tuned for EFS"),
        }
    }
}
