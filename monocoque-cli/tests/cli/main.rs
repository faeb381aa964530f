//! Tests of the program `mq` as a process: with sockets of libzmq, scripts of pyzmq, and other `mq`
//! processes.

mod bench;
mod counts_and_timeouts;
mod dealer_router_pair;
mod exit_status;
mod failures;
mod formats;
mod help;
mod keygen;
mod monitor;
mod mq_process;
mod patterns;
mod peer;
mod proxy;
mod pub_sub;
mod req_rep;
mod security;
mod terminal;
