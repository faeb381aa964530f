//! The program `mq` as it is run: beside sockets of libzmq, beside scripts of pyzmq, and beside itself.

mod bench;
mod endings;
mod exchange;
mod formats;
mod help;
mod limits;
mod monitor;
mod patterns;
mod peer;
mod proxy;
mod publish;
mod reply;
mod running;
mod terminal;
