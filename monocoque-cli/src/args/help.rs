//! The text of `--help` below the options.

use super::sections::{
    exchange_sections, exit_codes, input_formats, output_formats, receiver_exit_codes, receiver_sections,
    sender_exit_codes, sender_sections, values,
};

pub(super) const MQ: &str = concat!(
    "\
Examples:
  Collect lines on one machine, send them from another:
      mq pull --bind 'tcp://*:5555'
      echo hello | mq push --connect tcp://server:5555
  Subscribe to a publisher:
      mq sub -c tcp://server:5556 -s weather.
  Send a request, and reply to all requests:
      mq req -c tcp://server:5557 -d 'how are you?' --timeout 2s
      mq rep -b 'tcp://*:5557' --exec 'tr a-z A-Z'
  Encrypt messages, and allow one client alone:
      mq keygen --out server
      mq keygen --out client
      mq pull -b 'tcp://*:5555' --curve-server --key-file server.key --allow-key client.pub
      mq push -c tcp://server:5555 --curve-client --server-key server.pub --key-file client.key

Each command has a page of its own: mq help pull, or mq man pull | man -l -.

Variables:
  MQ_ENDPOINT (endpoints, separated by commas), MQ_TIMEOUT, MQ_LINGER, MQ_HWM,
  MQ_HEARTBEAT, MQ_IDENTITY and MQ_SOCKS_PROXY stand for options that are not
  given; MQ_PASSWORD holds the password of --plain-client. NO_COLOR turns colours
  off.

",
    values!(),
    exit_codes!("Success.")
);

pub(super) const PUSH: &str = concat!(
    "\
Examples:
  Send each line of a log:
      tail -f app.log | mq push -c tcp://collector:5555
  Send three messages, one every 100 ms, to any peer that connects:
      mq push -b 'tcp://*:5555' -d tick -n 3 -i 100ms
  Send files, each as one message:
      mq push -c tcp://server:5555 -f one.png -f two.png
  Send a message of two frames:
      mq push -c tcp://server:5555 --delimiter ' ' -d 'header body'

",
    sender_sections!()
);

pub(super) const PULL: &str = concat!(
    "\
Examples:
  Print the messages of two senders:
      mq pull -c tcp://one:5555 -c tcp://two:5555
  Keep 1000 messages, and send them later:
      mq pull -b 'tcp://*:5555' -n 1000 -O frames > messages
      mq push -c tcp://server:5555 -I frames < messages
  Print messages until none has arrived for a second:
      mq pull -b 'tcp://*:5555' -t 1s -O json | jq .frames

",
    receiver_sections!()
);

pub(super) const PUB: &str = concat!(
    "\
Examples:
  Publish once there is a subscriber:
      mq pub -b 'tcp://*:5556' -w 1 -d 'hello all'
  Publish lines under a topic:
      sensors | mq pub -b 'tcp://*:5556' --topic weather.oslo
  A clock for tests, until it is interrupted:
      mq pub -b 'tcp://*:5556' -d tick --repeat -i 1s

",
    sender_sections!()
);

pub(super) const SUB: &str = concat!(
    "\
Examples:
  Print everything:
      mq sub -c tcp://server:5556
  Two topics of two publishers, as JSON:
      mq sub -c tcp://one:5556 -c tcp://two:5556 -s weather. -s traffic. -O json
  Time, sender, topic and size of each message:
      mq sub tcp://server:5556 --format '{time} {peer} {topic} {size}'
  Messages that match, sent on:
      mq sub tcp://one:5556 --json | jq -c --unbuffered 'select(.frames[0] == \"a\")' |
          mq push tcp://two:5555 --json
  The next message, or fail after five seconds:
      mq sub -c tcp://server:5556 -n 1 -t 5s

",
    receiver_sections!()
);

pub(super) const REQ: &str = concat!(
    "\
Examples:
  Send one request, and wait for at most two seconds:
      mq req -c tcp://server:5557 -d ping -t 2s
  Send a request for each line:
      mq req -c tcp://server:5557
  Send 10000 requests, eight at once, and print no replies:
      mq req -c tcp://server:5557 -d ping -n 10000 --parallel 8 -O quiet
  Send a request once a second, forever:
      mq req -c tcp://server:5557 -d ping --repeat -i 1s

",
    input_formats!(),
    output_formats!(),
    values!(),
    exit_codes!(
        "Success: all requests have their replies, or standard output was closed.
       With --repeat and no --count also if interrupted."
    )
);

pub(super) const REP: &str = concat!(
    "\
Examples:
  Send each request back, and print it:
      mq rep -b 'tcp://*:5557' --echo
  Reply with the output of a program:
      mq rep -b 'tcp://*:5557' --exec 'jq .name' -O quiet
  Reply with a program that reads and writes messages of several frames:
      mq rep -b 'tcp://*:5557' --exec ./answer --exec-format json
  Give up after two seconds, with a reply that tells so:
      mq rep -b 'tcp://*:5557' --exec ./answer --exec-timeout 2s --exec-failure sorry
  Reply to one request and end:
      mq rep -b 'tcp://*:5557' --reply pong -n 1

",
    receiver_sections!()
);

pub(super) const DEALER_ABOUT: &str = "\
Send and receive messages, both at once

Sends each message to the next of its ROUTER, REP or DEALER peers in turn, and prints all messages received from them. \
Ends when the input has ended and --count messages were received, or nothing was received for --timeout since; \
without either, when it is interrupted.";

pub(super) const DEALER: &str = concat!(
    "\
Examples:
  Exchange messages with a ROUTER, under a routing id:
      mq dealer -c tcp://server:5558 --identity worker-1
  Send a request to a REP, with the empty frame it requires, and wait for the reply:
      mq dealer -c tcp://server:5557 --delimiter / -d /question -n 1
  Send without waiting for messages:
      mq dealer -c tcp://server:5558 -d 'job done' -n 0

",
    exchange_sections!()
);

pub(super) const PAIR_ABOUT: &str = "\
Exchange messages with one peer, in both directions at once

Sends all messages to the one PAIR peer, and prints all messages received from it. Ends when the input has ended and \
--count messages were received, or nothing was received for --timeout since; without either, when it is interrupted.";

pub(super) const PAIR: &str = concat!(
    "\
Examples:
  A chat:
      mq pair -b 'tcp://*:5559'
      mq pair -c tcp://server:5559
  Send a file, and wait for a message:
      mq pair -c tcp://server:5559 -f data.bin -n 1

",
    exchange_sections!()
);

pub(super) const ROUTER: &str = concat!(
    "\
Routing ids:
  In lines, a routing id is text, or hex behind 0x if it is not text: 0x0080004a.
  The same is read, and a tab (or the --delimiter) separates it from the message.
  Messages of REQ peers have an empty frame behind the routing id, and messages
  to them need one too.

Examples:
  Print messages with their senders, and reply by hand, as in: worker-1<TAB>hello
      mq router -b 'tcp://*:5558'
  Send each message back to its sender:
      mq router -b 'tcp://*:5558' --echo
  Send a job to a worker once it is connected:
      mq router -b 'tcp://*:5558' -w 1 --delimiter : -d worker-1:job -n 0
  Reply with a program that reads and writes JSON:
      mkfifo answers
      mq router -b 'tcp://*:5558' -O json -I json <> answers | ./answer > answers

",
    exchange_sections!()
);

pub(super) const PROXY: &str = concat!(
    "\
Ends:
  TYPE@ENDPOINT binds. More endpoints follow behind commas; connect: in front of
  one connects to it instead. The types are router and dealer, xsub and xpub, or
  pull and push, in either order.

Examples:
  A queue that distributes requests to workers:
      mq proxy 'router@tcp://*:5557' 'dealer@tcp://*:5558'
  Two publishers behind one address:
      mq proxy xsub@connect:tcp://a:5556,connect:tcp://b:5556 'xpub@tcp://*:5560'
  A pipeline with a capture socket, and statistics every ten seconds:
      mq proxy 'pull@tcp://*:5555' 'push@tcp://*:5561' \\
          --capture 'pub@tcp://*:5562' --stats 10s
  Metrics for Prometheus:
      mq proxy 'router@tcp://*:5557' 'dealer@tcp://*:5558' --metrics 127.0.0.1:9464
  Print the statistics of a running proxy:
      pkill -USR1 -x mq
  Watch the peers, queues and drops of a queue:
      mq proxy 'router@tcp://*:5557' 'dealer@tcp://*:5558' --top

",
    values!(),
    exit_codes!("Success: it was interrupted.")
);

pub(super) const MONITOR: &str = concat!(
    "\
Events:
  listening, bind_failed, unbound, accepted, accept_failed, connected,
  connect_failed, handshake_succeeded, handshake_failed, disconnected, retrying,
  given_up, message_dropped, task_panicked, and lagged if events are missing. In
  JSON, the event is the value of \"event\", with its details beside it, named
  \"endpoint\", \"connection\", \"peer\", \"type\", \"routing_id\", \"delay_ms\",
  \"reason\", \"error\", and \"events\" for the number of missing ones.

Examples:
  Test if there is a REP that accepts a REQ:
      mq monitor req -c tcp://server:5557 -n 2
  Print the peers that connect, as JSON:
      mq monitor router -b 'tcp://*:5558' -O json

",
    values!(),
    exit_codes!(
        "Success: --count is reached, or standard output was closed. Without
       --count also if mq was interrupted, or if --timeout expired after an
       event."
    )
);

pub(super) const BENCH: &str = concat!(
    "\
Examples:
  All of it, within this process:
      mq bench
  Throughput of larger messages over ipc:
      mq bench throughput --size 16384 --bind ipc:///tmp/bench
  Throughput with CURVE, both sides in this process:
      mq bench throughput --curve-server --key-file server.key
  Between two machines:
      mq bench pull -b 'tcp://*:5555'
      mq bench push -c tcp://server:5555 --duration 10s
  Compare two versions, and two servers that reply:
      mq bench -O json > old
      mq bench -O json > new
      mq bench compare old new
      mq bench compare tcp://one:5557 tcp://two:5557
  With the tools of libzmq on the other side:
      mq bench pull -b 'tcp://*:5555' -n 1000000
      remote_thr tcp://127.0.0.1:5555 64 1000000

",
    values!(),
    exit_codes!("Success: all messages have arrived.")
);

pub(super) const KEYGEN: &str = "\
Files:
  PATH.key and PATH.pub each hold one key, as Z85 in the first line: PATH itself
  ends with neither. The permissions
  of PATH.key are 0600. Neither file is written if one of them exists, unless --force
  is given.

Examples:
  Print a key pair:
      mq keygen
  Take the keys apart in a script:
      keys=$(mq keygen -O json)
      public=$(echo \"$keys\" | jq -r .public) secret=$(echo \"$keys\" | jq -r .secret)
  Write them to files, and keep the public key, which is all that is printed:
      public=$(mq keygen --out server)
  Make the keys of a server and of a client, and use them:
      mkdir clients
      mq keygen --out server
      mq keygen --out clients/anna
      mq pull -b 'tcp://*:5555' --curve-server --key-file server.key --keys clients
      mq push -c tcp://server:5555 --curve-client --server-key server.pub \\
          --key-file clients/anna.key

Exit codes:
  0    Success.
  1    Failure, described on standard error.
  2    An option or its value cannot be used; nothing was written.
";

pub(super) const XPUB: &str = concat!(
    "\
Examples:
  Publish lines, and print who subscribes to what, as JSON:
      mq xpub -b 'tcp://*:5556' --json
  Publish once there is a subscriber, and end:
      mq xpub -b 'tcp://*:5556' -w 1 -d 'hello all' -n 1

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const XSUB: &str = concat!(
    "\
Examples:
  Print a topic of a publisher, and send lines back to it:
      mq xsub -c tcp://server:5556 -s news
  See everything that a publisher sends, whatever it is:
      mq xsub -c tcp://server:5556 -s '' -O json -n 10 < /dev/null

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const STREAM: &str = concat!(
    "\
Examples:
  Send a request to a server, and print its response as it is:
      printf 'GET / HTTP/1.0\\r\\n\\r\\n' | mq stream tcp://server:80 -I whole -O raw
  Print what programs write to a port, and answer by hand, as in: 0x0080004a<TAB>hello
      mq stream -b 'tcp://*:8080'
  An echo server for any program:
      mq stream -b 'tcp://*:7' --echo

",
    input_formats!(),
    output_formats!(),
    values!(),
    receiver_exit_codes!()
);

pub(super) const COMPLETIONS: &str = "\
Examples:
  For bash, zsh and fish:
      mq completions bash > ~/.local/share/bash-completion/completions/mq
      mq completions zsh > ~/.zfunc/_mq
      mq completions fish > ~/.config/fish/completions/mq.fish

Exit codes:
  0    Success.
  1    Failure, described on standard error.
  2    The command line is wrong; nothing was printed.
";

pub(super) const MAN: &str = "\
Examples:
  Read the manual:
      mq man | man -l -
      mq man sub | man -l -
  Install all pages:
      mq man --out /usr/local/share/man/man1

Exit codes:
  0    Success.
  1    Failure, described on standard error.
  2    The command line is wrong; nothing was printed.
";

pub(super) const TOP: &str = concat!(
    "\
Keys:
  q  Quit; also Esc and Ctrl-C.
  p  Pause, and continue.

Examples:
  Watch two publishers:
      mq top tcp://one:5556 tcp://two:5556
  Print the rates of one topic over ten seconds:
      mq top tcp://server:5556 -s weather. -i 10s -n 1 | cat

",
    values!(),
    exit_codes!(
        "Success: --count is reached, a key has ended it, or standard output was
       closed. Without --count also if interrupted."
    )
);
