//! The worker: a process that does nothing but check and run expressions, one after the other, and ends
//! when its input does.

use super::{
    check::Refused,
    confine,
    interpret::{self, Waiting},
    program::{self, Program},
    protocol::{self, Done, End, Order, Report, RunOrder},
};
use monty_types::{BASELINE_MEMORY, LIVE_MEMORY};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::VecDeque,
    io::{self, Stdin, Stdout},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Programs that a worker remembers; the one that was used longest ago goes first.
const REMEMBERED: usize = 32;

/// The allocator of the executable. A worker's counts what is in use, so that a limit can hold; everybody
/// else's is the system's, at the price of one look at a flag that never changes.
///
/// `monty_alloc`'s own allocator counts in every process: two atomic additions to the same place for each
/// piece of memory, which all threads of a server would queue up for.
#[derive(Debug)]
pub struct Allocator;

static COUNTING: AtomicBool = AtomicBool::new(false);

/// What is counted as in use when counting begins, in bytes: what was taken before is given back after,
/// and the count must not fall below zero.
const HEAD_START: usize = 64 << 20;

// SAFETY: every method hands its arguments to one of two allocators, and both hand them to `System`; so a
// piece that one of them gave can be returned through the other.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, unchanged.
        unsafe {
            if COUNTING.load(Ordering::Relaxed) {
                monty_alloc::LimitedAllocator.alloc(layout)
            } else {
                System.alloc(layout)
            }
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller's piece and layout, unchanged.
        unsafe {
            if COUNTING.load(Ordering::Relaxed) {
                monty_alloc::LimitedAllocator.dealloc(piece, layout);
            } else {
                System.dealloc(piece, layout);
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, unchanged.
        unsafe {
            if COUNTING.load(Ordering::Relaxed) {
                monty_alloc::LimitedAllocator.alloc_zeroed(layout)
            } else {
                System.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's piece, layout and size, unchanged.
        unsafe {
            if COUNTING.load(Ordering::Relaxed) {
                monty_alloc::LimitedAllocator.realloc(piece, layout, size)
            } else {
                System.realloc(piece, layout, size)
            }
        }
    }
}

/// Runs until the input ends. The process can be used for nothing else afterwards.
#[must_use]
pub fn main() -> ExitCode {
    LIVE_MEMORY.fetch_add(HEAD_START, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    confine::confine();
    let mut worker = Worker { input: io::stdin(), output: io::stdout(), programs: VecDeque::new() };
    match worker.work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// A program that is remembered, and, so that nobody waits for it, run as far as it goes without a request.
struct Remembered {
    source: String,
    program: Program,
    waiting: Option<Waiting>,
}

struct Worker {
    input: Stdin,
    output: Stdout,
    programs: VecDeque<Remembered>,
}

impl Worker {
    fn work(&mut self) -> io::Result<()> {
        while let Some(order) = protocol::read(self.input.lock())? {
            match order {
                Order::Check { source } => {
                    let refused = program::compile(&source).err();
                    self.report(&Report::Checked(refused))?;
                }
                Order::Run(order) => self.run(*order)?,
                Order::Answer(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(())
    }

    fn report(&self, report: &Report) -> io::Result<()> {
        protocol::write(self.output.lock(), report)
    }

    fn run(&mut self, order: RunOrder) -> io::Result<()> {
        let (time, memory) = (Duration::from_millis(order.time), order.memory);
        confine::allow(time);
        limit(Some(memory))?;
        let source = order.source.clone();
        let mut remembered = match self.program(source) {
            Ok(remembered) => remembered,
            Err(refused) => return self.report(&Report::Done(Box::new(Done::bare(End::Refused(refused))))),
        };
        let waiting = match remembered.waiting.take() {
            Some(waiting) => Ok(waiting),
            None => Waiting::start(&remembered.program, memory),
        };
        let done = interpret::run(waiting, order, &remembered.program, |call| {
            self.report(call)?;
            match protocol::read(self.input.lock())? {
                Some(Order::Answer(answer)) => Ok(answer),
                _ => Err(io::ErrorKind::InvalidData.into()),
            }
        })?;
        self.report(&Report::Done(Box::new(done)))?;
        // Whoever asked goes on; the next one finds it already under way.
        limit(Some(memory))?;
        remembered.waiting = Waiting::start(&remembered.program, memory).ok();
        limit(None)?;
        self.programs.push_back(remembered);
        if self.programs.len() > REMEMBERED {
            self.programs.pop_front();
        }
        Ok(())
    }

    /// The program of a text, taken out of what is remembered.
    fn program(&mut self, source: String) -> Result<Remembered, Refused> {
        if let Some(at) = self.programs.iter().position(|p| p.source == source)
            && let Some(found) = self.programs.remove(at)
        {
            return Ok(found);
        }
        Ok(Remembered { program: program::compile(&source)?, source, waiting: None })
    }
}

/// Sets how much memory may be used from now on, in bytes; `None` is any.
fn limit(memory: Option<usize>) -> io::Result<()> {
    // What is remembered of other expressions is not this one's.
    BASELINE_MEMORY.store(LIVE_MEMORY.load(Ordering::Relaxed), Ordering::Relaxed);
    monty_alloc::set_limit(memory, false).map_err(io::Error::other)
}
