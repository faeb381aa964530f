//! What `--help` says below the options.

use super::sections::{
    exit_codes, input_formats, output_formats, receiver_exit_codes, sender_exit_codes, values,
};

pub(super) const MQ: &str = concat!(
    "\
Examples:
  Collect lines on one machine, send them from another:
      mq pull --bind tcp://*:5555
      echo hello | mq push --connect tcp://server:5555
  Listen to a publisher:
      mq sub -c tcp://server:5556 -s weather.
  Ask a question, and answer them all:
      mq req -c tcp://server:5557 -d 'how are you?' --timeout 2s
      mq rep -b tcp://*:5557 --exec 'tr a-z A-Z'

Each command has a page of its own: mq help pull.

",
    values!(),
    exit_codes!("Success.")
);

pub(super) const PUSH: &str = concat!(
    "\
Examples:
  Send each line of a log:
      tail -f app.log | mq push -c tcp://collector:5555
  Send three messages, one every 100 ms, to whoever connects:
      mq push -b tcp://*:5555 -d tick -n 3 -i 100ms
  Send files, each as one message:
      mq push -c tcp://server:5555 -f one.png -f two.png
  Send a message of two frames:
      mq push -c tcp://server:5555 --delimiter ' ' -d 'header body'

",
    input_formats!(),
    values!(),
    sender_exit_codes!()
);

pub(super) const PULL: &str = concat!(
    "\
Examples:
  Print what comes from two senders:
      mq pull -c tcp://one:5555 -c tcp://two:5555
  Keep 1000 messages, and send them later:
      mq pull -b tcp://*:5555 -n 1000 -O frames > messages
      mq push -c tcp://server:5555 -I frames < messages
  Take what there is, until nothing has come for a second:
      mq pull -b tcp://*:5555 -t 1s -O json | jq .frames

",
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const PUB: &str = concat!(
    "\
Examples:
  Publish once somebody listens:
      mq pub -b tcp://*:5556 -w 1 -d 'hello all'
  Publish lines under a topic:
      sensors | mq pub -b tcp://*:5556 --topic weather.oslo
  A clock for tests, until it is interrupted:
      mq pub -b tcp://*:5556 -d tick --repeat -i 1s

",
    input_formats!(),
    values!(),
    sender_exit_codes!()
);

pub(super) const SUB: &str = concat!(
    "\
Examples:
  Print everything:
      mq sub -c tcp://server:5556
  Two topics of two publishers, as JSON:
      mq sub -c tcp://one:5556 -c tcp://two:5556 -s weather. -s traffic. -O json
  The next message, or fail after five seconds:
      mq sub -c tcp://server:5556 -n 1 -t 5s

",
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const REQ: &str = concat!(
    "\
Examples:
  Ask once, for at most two seconds:
      mq req -c tcp://server:5557 -d ping -t 2s
  Ask line by line:
      mq req -c tcp://server:5557
  Ask once a second, for ever:
      mq req -c tcp://server:5557 -d ping --repeat -i 1s

",
    input_formats!(),
    output_formats!(),
    values!(),
    exit_codes!(
        "Success: all requests have their replies, or nobody reads standard output
       any more. With --repeat and no --count also if it was interrupted."
    )
);

pub(super) const REP: &str = concat!(
    "\
Examples:
  Send each request back, and print it:
      mq rep -b tcp://*:5557 --echo
  Answer with what a program makes of the request:
      mq rep -b tcp://*:5557 --exec 'jq .name' -O quiet
  Answer one request and end:
      mq rep -b tcp://*:5557 --reply pong -n 1

",
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const DEALER_ABOUT: &str = "\
Send and receive messages, both at once

Sends each message to the next of its peers in turn, which are ROUTER, REP or DEALER sockets, and prints all that comes \
from them. It ends when the input has ended and --count messages have come, or nothing has come for --timeout since; with \
neither of them, when it is interrupted.";

pub(super) const DEALER: &str = concat!(
    "\
Examples:
  Talk to a ROUTER by hand, under a name:
      mq dealer -c tcp://server:5558 --identity worker-1
  Ask a REP, which wants an empty frame first, and wait for the answer:
      mq dealer -c tcp://server:5557 --delimiter / -d /question -n 1
  Send and do not wait for anything:
      mq dealer -c tcp://server:5558 -d 'job done' -n 0

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const PAIR_ABOUT: &str = "\
Talk to one peer, both ways at once

Sends all messages to the one PAIR peer, and prints all that comes from it. It ends when the input has ended and --count \
messages have come, or nothing has come for --timeout since; with neither of them, when it is interrupted.";

pub(super) const PAIR: &str = concat!(
    "\
Examples:
  A chat:
      mq pair -b tcp://*:5559
      mq pair -c tcp://server:5559
  Send a file, and wait for a word:
      mq pair -c tcp://server:5559 -f data.bin -n 1

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const ROUTER: &str = concat!(
    "\
Routing ids:
  In lines, they are text, or in hex behind 0x if they are not: 0x0080004a. The
  same is read, and a tab (or the --delimiter) separates it from the message.
  What REQ peers send has an empty frame behind the routing id, and what they
  are sent needs one too.

Examples:
  See who sends what, and answer by hand, as in: worker-1<TAB>hello
      mq router -b tcp://*:5558
  Answer everybody with their own messages:
      mq router -b tcp://*:5558 --echo
  Send a job to a worker once it is connected:
      mq router -b tcp://*:5558 -w 1 --delimiter : -d worker-1:job -n 0
  Answer with a program that reads and writes JSON:
      mkfifo answers
      mq router -b tcp://*:5558 -O json -I json <> answers | ./answer > answers

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const PROXY: &str = concat!(
    "\
Ends:
  TYPE@ENDPOINT binds. More endpoints follow behind commas; one with connect: in
  front is connected to instead. The types are router and dealer, xsub and xpub,
  or pull and push, in either order.

Examples:
  A queue that spreads requests over workers:
      mq proxy router@tcp://*:5557 dealer@tcp://*:5558
  Two publishers behind one address:
      mq proxy xsub@connect:tcp://a:5556,connect:tcp://b:5556 xpub@tcp://*:5560
  A pipeline that can be listened to, with figures every ten seconds:
      mq proxy pull@tcp://*:5555 push@tcp://*:5561 \\
          --capture pub@tcp://*:5562 --stats 10s
  The figures of one that runs:
      pkill -USR1 -x mq

",
    values!(),
    exit_codes!("Success: it was interrupted.")
);

pub(super) const MONITOR: &str = concat!(
    "\
Events:
  listening, bind_failed, unbound, accepted, accept_failed, connected,
  connect_failed, handshake_succeeded, handshake_failed, disconnected, retrying,
  given_up, message_dropped, task_panicked, and lagged if some are missing. In JSON, they are the value of
  \"event\", with what else is known beside it, by the names of \"endpoint\",
  \"connection\", \"peer\", \"type\", \"routing_id\", \"delay_ms\", \"reason\",
  \"error\", and \"events\" for how many are missing.

Examples:
  Is there a REP, and does it speak to a REQ?
      mq monitor req -c tcp://server:5557 -n 2
  Who connects, as JSON:
      mq monitor router -b tcp://*:5558 -O json

",
    values!(),
    exit_codes!(
        "Success: --count is reached, or nobody reads standard output any more.
       Without --count also if it was interrupted, or if --timeout has passed
       after some event."
    )
);

pub(super) const BENCH: &str = concat!(
    "\
Examples:
  All of it, within this process:
      mq bench
  Throughput of larger messages over ipc:
      mq bench throughput --size 16384 --bind ipc:///tmp/bench
  Between two machines:
      mq bench pull -b tcp://*:5555 -n 1000000
      mq bench push -c tcp://server:5555 -n 1000000
  With the tools of libzmq at the other end:
      mq bench pull -b tcp://*:5555 -n 1000000
      remote_thr tcp://127.0.0.1:5555 64 1000000

",
    values!(),
    exit_codes!("Success: all messages have arrived.")
);
