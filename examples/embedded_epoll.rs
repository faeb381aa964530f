//! An event loop of the program's own: one thread that waits by epoll for a UDP socket, and for the
//! connections of a PUB.
//!
//! Run with `cargo run --example embedded_epoll`. Publishes each datagram; a SUB with an I/O thread
//! of its own sends some, and waits for each. Prints the number of turns of the loop, and fails if
//! a message is wrong or missing.

use std::error::Error;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::task::{self, Poll};
use std::thread;
use std::time::Duration;

use monocoque::zmq::{PubSocket, SubSocket};
use monocoque::{Context, Driver, Endpoint, ErrorKind};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

const DATAGRAMS: usize = 1000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    udp.set_nonblocking(true)?;
    let (context, driver) = Context::embedded()?;
    let mut events = EventLoop::new(&driver, &udp)?;

    let publisher = PubSocket::new_in(&context)?;
    let endpoint = events.run_until(publisher.bind("tcp://127.0.0.1:0"))??;
    let address = udp.local_addr()?;
    let subscriber = thread::spawn(move || receive(endpoint, address));
    events.run_until(publisher.wait_for_subscriptions(1))??;

    let mut published = 0;
    let mut datagram = [0; 64];
    while published < DATAGRAMS {
        let sleep = events.turn();
        loop {
            match udp.recv(&mut datagram) {
                Ok(length) => {
                    // A loop must not wait: `try_send` does not.
                    publisher.try_send(&datagram[..length])?;
                    published += 1;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        events.wait(sleep)?;
    }
    // Sends what is queued, and ends the connections.
    events.run_until(context.shutdown())?;
    println!("{published} datagrams published in {} turns", events.turns);
    subscriber.join().map_err(|_| "the subscriber has panicked")??;
    Ok(())
}

/// Waits for the descriptor of a driver and for those of the program.
struct EventLoop<'a> {
    set: OwnedFd,
    driver: &'a Driver,
    turns: usize,
}

impl<'a> EventLoop<'a> {
    fn new(driver: &'a Driver, other: impl AsFd) -> Outcome<Self> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&set, driver.as_fd(), epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        epoll::add(&set, other.as_fd(), epoll::EventData::new_u64(1), epoll::EventFlags::IN)?;
        Ok(Self { set, driver, turns: 0 })
    }

    /// Runs the connections. Returns for how long the loop may sleep.
    fn turn(&mut self) -> Option<Duration> {
        self.turns += 1;
        self.driver.turn()
    }

    /// Waits until a descriptor is readable. What the program has done since the turn, such as to
    /// send, makes that of the driver readable.
    fn wait(&self, sleep: Option<Duration>) -> Outcome<()> {
        let sleep = sleep.map(Timespec::try_from).transpose()?;
        let mut ready = Vec::with_capacity(2);
        match epoll::wait(&self.set, spare_capacity(&mut ready), sleep.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Turns until a call has its result.
    fn run_until<T>(&mut self, call: impl Future<Output = T>) -> Outcome<T> {
        let mut call = pin!(call);
        let waker = self.driver.waker();
        let mut cx = task::Context::from_waker(&waker);
        loop {
            let sleep = self.turn();
            if let Poll::Ready(result) = call.as_mut().poll(&mut cx) {
                return Ok(result);
            }
            self.wait(sleep)?;
        }
    }
}

/// Sends datagrams, and receives them as messages.
fn receive(endpoint: Endpoint, address: std::net::SocketAddr) -> Outcome<()> {
    let context = Context::new()?;
    let subscriber = SubSocket::builder().recv_timeout(Duration::from_secs(10)).build_in(&context)?;
    subscriber.subscribe("")?;
    subscriber.blocking().connect(endpoint)?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    for number in 0..DATAGRAMS {
        sender.send_to(number.to_string().as_bytes(), address)?;
        match subscriber.blocking().recv() {
            Ok(message) if message == number.to_string().as_str() => {}
            Ok(message) => return Err(format!("{message} instead of {number}").into()),
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err("a message is missing".into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
