//! [`Started`]: a child that was started, with this process's ends of its pipes.

use std::process;

use super::system::{Child, Descriptor};

pub(super) struct Started {
    pub(super) child: Child,
    pub(super) stdin: Option<Descriptor>,
    pub(super) stdout: Option<Descriptor>,
    pub(super) stderr: Option<Descriptor>,
}

impl Started {
    /// `shared` is the pipe of both outputs, if they share one.
    pub(super) fn new(mut child: process::Child, shared: Option<Descriptor>) -> Started {
        let stdin = child.stdin.take().map(Descriptor::from);
        let stdout = shared.or(child.stdout.take().map(Descriptor::from));
        let stderr = child.stderr.take().map(Descriptor::from);
        Started { child: Child::new(child), stdin, stdout, stderr }
    }
}
