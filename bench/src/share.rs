//! The share of a CPU that Lambda gives a function of a memory size, as the kernel's own quota. It takes root;
//! where there is none, the time is worked out instead.

use std::path::PathBuf;

use nix::unistd::Pid;

/// The memory size at which Lambda gives one CPU, in MB.
pub(crate) const MB_OF_ONE_CPU: f64 = 1769.0;

/// Lambda's own period, in microseconds.
const PERIOD: f64 = 20_000.0;

/// A control group with a quota, removed when it is dropped.
pub(crate) struct Share {
    folder: PathBuf,
}

impl Share {
    /// The share of a function with so much memory, if the kernel lets us give one.
    pub(crate) fn of(mb: f64) -> Option<Self> {
        let quota = (PERIOD * mb / MB_OF_ONE_CPU).round();
        let name = format!("permission-broker-bench-{}", std::process::id());
        let (first, second) =
            (PathBuf::from("/sys/fs/cgroup/cpu").join(&name), PathBuf::from("/sys/fs/cgroup").join(&name));
        let settings: [(PathBuf, &[(&str, String)]); 2] = [
            (first, &[("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota.to_string())]),
            (second, &[("cpu.max", format!("{quota} {PERIOD}"))]),
        ];
        settings.into_iter().find_map(|(folder, files)| {
            std::fs::create_dir(&folder).ok()?;
            let share = Self { folder };
            let set = files.iter().all(|(file, text)| std::fs::write(share.folder.join(file), text).is_ok());
            set.then_some(share)
        })
    }

    /// Puts a process under the quota.
    pub(crate) fn limit(&self, pid: Pid) -> std::io::Result<()> {
        std::fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // An empty group that stays behind limits nobody.
        let _ = std::fs::remove_dir(&self.folder);
    }
}
