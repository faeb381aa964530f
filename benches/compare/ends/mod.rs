//! The child processes: the same roles in each library, implemented in its plain and fast way.

mod ours;
mod raw;
mod zmq;

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::job::{Job, Library};
use crate::measure;

/// Runs the role in the arguments until the process is killed. Returns only after an error.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some(job) = Job::from_args(args) else {
        eprintln!("not a job: {args:?}");
        return ExitCode::from(2);
    };
    measure::answer_parent(job.sockets);
    match play(&job) {
        Ok(never) => match never {},
        Err(error) => {
            // Printed for the parent. At the end it also occurs when the other process is killed
            // first.
            println!("{job:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(job: &Job) -> Result<Infallible, Box<dyn Error>> {
    // A thousand peers need more descriptors than the default limit.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    match job.library {
        Library::Ours => ours::run(job, ours::Placement::Runtime),
        Library::OursIo => ours::run(job, ours::Placement::Thread),
        Library::Zmq => Ok(zmq::run(job)?),
        Library::Raw => Ok(raw::run(job)?),
    }
}
