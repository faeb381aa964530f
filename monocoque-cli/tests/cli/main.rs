//! Tests of the program `mq` as a process: with sockets of libzmq, scripts of pyzmq, and other `mq`
//! processes.

mod bench;
mod counts_and_timeouts;
mod dealer_router_pair;
mod documents;
mod exit_status;
mod failures;
mod formats;
mod help;
mod keygen;
mod monitor;
mod mq_process;
mod options;
mod output;
mod patterns;
mod peer;
mod proxy;
mod pub_sub;
mod publishers_and_streams;
mod req_rep;
mod security;
mod terminal;
mod tips;
mod top;
