//! Tributary: two `trib daemon`s that share only a transfer point that runs nothing of ours.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::contestant::{Contestant, Pair, Restart, left};
use super::{files, usage};
use crate::failure::{Failure, Result};
use crate::scene::Scene;
use crate::warden::Warden;

/// The release build of `trib`.
pub struct Ours {
    /// Its path.
    pub trib: PathBuf,
}

impl Contestant for Ours {
    fn name(&self) -> &'static str {
        super::OURS
    }

    fn about(&self) -> String {
        format!(
            "{}, through a bare git repository and a directory, hints by prosody",
            env!("CARGO_PKG_VERSION")
        )
    }

    fn start(&self, folder: &Path, warden: &Warden) -> Result<Box<dyn Pair>> {
        let mut scene = Scene::build(folder, &self.trib, warden)?;
        scene.here.start(warden)?;
        scene.there.start(warden)?;
        scene.meet()?;
        let (here, there) = (scene.here.folder(), scene.there.folder());
        Ok(Box::new(Running { scene, here, there }))
    }
}

struct Running {
    scene: Scene,
    here: PathBuf,
    there: PathBuf,
}

impl Pair for Running {
    fn here(&self) -> &Path {
        &self.here
    }

    fn there(&self) -> &Path {
        &self.there
    }

    fn groups(&self) -> Vec<u32> {
        self.scene.here.engine().into_iter().collect()
    }

    fn settle(&mut self, deadline: Instant) -> Result<()> {
        // Twice, since what B makes of A's change may be news to A.
        for node in [&self.scene.here, &self.scene.there, &self.scene.here] {
            node.wait(left(deadline)?)?;
        }
        Ok(())
    }

    fn in_between(&self) -> Result<Option<u64>> {
        files::walk(self.scene.contents()).map(|(_, bytes)| Some(bytes))
    }

    fn fill(&mut self, write: &dyn Fn(&Path) -> Result<()>, _: &Warden, deadline: Instant) -> Result<()> {
        write(&self.here)?;
        self.settle(deadline)
    }

    fn restart(&mut self, warden: &Warden, deadline: Instant) -> Result<Restart> {
        self.scene.here.stop();
        let begun = Instant::now();
        self.scene.here.start(warden)?;
        self.scene.here.wait(left(deadline)?)?;
        let took = begun.elapsed();
        let engine = self.scene.here.engine().ok_or_else(|| Failure::new("the engine is gone"))?;
        Ok(Restart { took, read: Some(usage::of(engine).read) })
    }
}

/// The marks that issue 3 sets, through the transfer point.
pub mod goals {
    use super::Duration;

    /// One file of 1 KiB: half of the runs within this.
    pub const ONE_FILE_MEDIAN: Duration = Duration::from_millis(250);
    /// One file of 1 KiB: nineteen of twenty within this.
    pub const ONE_FILE_P95: Duration = Duration::from_millis(600);
    /// 10,000 files, in floors.
    pub const TEN_THOUSAND_FLOORS: f64 = 5.0;
    /// 1 GiB, in floors.
    pub const ONE_GIB_FLOORS: f64 = 3.5;
    /// Renaming the folder of 10,000.
    pub const RENAME: Duration = Duration::from_secs(2);
    /// Processor time of an idle minute.
    pub const IDLE_CPU: Duration = Duration::from_millis(50);
    /// Memory of an idle engine, in bytes.
    pub const IDLE_MEMORY: u64 = 40 << 20;
    /// Start on 100,000 unchanged files.
    pub const START: Duration = Duration::from_secs(2);
}
