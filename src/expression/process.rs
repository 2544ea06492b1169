//! One worker as the server sees it: a child process and two pipes.

use super::protocol::{self, LONGEST};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Error, ErrorKind},
    path::Path,
    process::Stdio,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// The argument that makes a worker of our executable.
pub const COMMAND: &str = "expression-worker";

/// A running worker. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Runs and checks so far.
    pub uses: u32,
}

impl Process {
    /// Starts a worker: no environment, no errors printed, nothing to read but our pipe.
    ///
    /// # Errors
    /// When the executable cannot be started.
    pub fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        // Ctrl-C is for the server, which lets what runs come to its end.
        #[cfg(unix)]
        command.arg0("tessera").process_group(0);
        let mut child = command
            .arg(COMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let gone = || Error::from(ErrorKind::BrokenPipe);
        let input = child.stdin.take().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        Ok(Self { child, input, output: BufReader::new(output), uses: 0 })
    }

    /// The operating system's number of the process, while it lives.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// # Errors
    /// When the worker is gone.
    pub async fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.input.write_all(&protocol::framed(message)?).await?;
        self.input.flush().await
    }

    /// # Errors
    /// When the worker is gone, or says something that is not a message, or too long.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let length = self.output.read_u32_le().await? as usize;
        if length > LONGEST {
            return Err(Error::new(ErrorKind::FileTooLarge, "a message of a worker is too long"));
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Whether the worker can still be used.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How the worker ended, for one that has.
    pub async fn ended(&mut self) -> Option<i32> {
        self.child.wait().await.ok().and_then(|status| status.code())
    }
}
