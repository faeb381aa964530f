//! Requests and replies over plain TCP: the cost of the kernel alone.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::job::{Attach, Job};
use crate::measure::{BOUND, Counter, Stopwatch};

/// Sends requests on the side that connects, and replies on the side that binds.
pub(crate) fn run(job: &Job) -> io::Result<Infallible> {
    let address = job.endpoint.trim_start_matches("tcp://");
    let mut body = job.body();
    match job.attach {
        Attach::Bind => {
            let listener = TcpListener::bind(address)?;
            println!("{BOUND} tcp://{}", listener.local_addr()?);
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            loop {
                stream.read_exact(&mut body)?;
                stream.write_all(&body)?;
            }
        }
        Attach::Connect => {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            let mut stopwatch = Stopwatch::start(Counter::of(0));
            loop {
                stream.write_all(&body)?;
                stream.read_exact(&mut body)?;
                stopwatch.lap();
            }
        }
    }
}
