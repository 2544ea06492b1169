//! What the operating system forbids a worker, beside what the interpreter does not offer: no new files or
//! sockets, no files written, no processes, no core dump, and no more processor time than its run may take.

use std::time::Duration;

/// Room beyond the interpreter's own limit, before the operating system ends the worker.
#[cfg(target_os = "linux")]
const GRACE: u64 = 2;

/// Takes from this process what a worker does not need. What cannot be taken is left: the interpreter is
/// the wall, this is the ditch before it.
#[cfg(target_os = "linux")]
pub fn confine() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |n| Rlimit { current: Some(n), maximum: Some(n) };
    let _ = rustix::thread::set_no_new_privs(true);
    for (resource, limit) in [
        (Resource::Core, 0),
        // The three that are open stay open; no other can be opened.
        (Resource::Nofile, 3),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
    ] {
        let _ = setrlimit(resource, at_most(limit));
    }
}

/// Ends this process when it computes for longer than `time` from now on. The server does that too; this
/// is for a worker whose server died while an expression ran.
#[cfg(target_os = "linux")]
pub fn allow(time: Duration) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default();
    let current = used + time.as_secs() + GRACE;
    let maximum = getrlimit(Resource::Cpu).maximum;
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum });
}

#[cfg(not(target_os = "linux"))]
pub fn confine() {}

#[cfg(not(target_os = "linux"))]
pub fn allow(_: Duration) {}
