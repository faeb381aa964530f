//! The ends: the same roles, played by each library in the way that is plain and fast for it.

mod ours;
mod raw;
mod zmq;

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::job::{Job, Library};
use crate::measure;

/// Plays the role that the arguments describe until the process is killed; comes back only when
/// that fails.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some(job) = Job::from_args(args) else {
        eprintln!("not a job: {args:?}");
        return ExitCode::from(2);
    };
    measure::answer_parent(job.sockets);
    match play(&job) {
        Ok(never) => match never {},
        Err(error) => {
            // For the parent, if it is still interested: when it is done, the ends lose each other.
            println!("{job:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(job: &Job) -> Result<Infallible, Box<dyn Error>> {
    // A thousand peers need more than the thousand files that are usual.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    match job.library {
        Library::Ours => ours::run(job, ours::Placement::Runtime),
        Library::OursIo => ours::run(job, ours::Placement::Thread),
        Library::Zmq => Ok(zmq::run(job)?),
        Library::Raw => Ok(raw::run(job)?),
    }
}
