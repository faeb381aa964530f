//! Names of other tools (nats, kcat, redis-cli, websocat, mosquitto, pyzmq's scripts) with the
//! options of `mq` that do the same.

/// Options of other tools with the same meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    pub(super) names: &'static [&'static str],
    /// The option of `mq`, by its name in the definition of the command line.
    pub(super) option: &'static str,
    pub(super) tip: &'static str,
}

/// Returns the tip for an option that a command does not have: that of the first habit whose option
/// the command has.
pub(super) fn tip_for(name: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    OPTIONS.iter().find(|habit| habit.names.contains(&name) && has(habit.option)).map(|habit| habit.tip)
}

/// Returns the command that other tools call so.
pub(super) fn command_for(name: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(names, _)| names.contains(&name)).map(|(_, command)| *command)
}

const fn habit(names: &'static [&'static str], option: &'static str, tip: &'static str) -> Habit {
    Habit { names, option, tip }
}

const OPTIONS: &[Habit] = &[
    habit(&["--once", "-1"], "count", "-n 1 ends after one message"),
    habit(
        &["--number", "--num", "--limit", "--max", "--messages", "--times"],
        "count",
        "-n N (--count) ends after N messages",
    ),
    habit(
        &["--rate", "--delay", "--sleep", "--every", "--period"],
        "interval",
        "-i DURATION (--interval) is the time between two messages, as in -i 100ms",
    ),
    habit(&["--loop", "--forever"], "repeat", "--repeat sends the messages of -d and -f again and again"),
    habit(
        &["--message", "--msg", "--payload", "--body", "--text", "--request", "-m"],
        "data",
        "-d TEXT (--data) is a message to send",
    ),
    habit(
        &["--reply-with", "--response", "--message", "--msg", "--text", "--data", "-d", "-m"],
        "reply",
        "--reply TEXT is the reply to each request",
    ),
    habit(&["--command", "--cmd", "--run", "-e"], "exec", "--exec COMMAND replies with its output"),
    habit(
        &["--prefix", "--filter", "--subscription", "--channel", "--subject"],
        "subscribe",
        "-s TOPIC (--subscribe) receives messages that start with TOPIC",
    ),
    habit(
        &["--subscribe", "-s", "--channel", "--subject"],
        "topic",
        "--topic TOPIC puts a topic in front of each message",
    ),
    habit(
        &["--topic", "--channel", "--subject"],
        "data",
        "a topic is the beginning of a message, as in --delimiter ' ' -d 'TOPIC TEXT'",
    ),
    habit(
        &["--output-format", "--out", "-o"],
        "output",
        "-O FORMAT (--output) is the format of what is printed, as in -O json",
    ),
    habit(
        &["--output", "--output-format", "--out", "-O", "-o"],
        "input",
        "-I FORMAT (--input) is the format of standard input; this command prints no messages",
    ),
    habit(
        &["--input", "-I"],
        "output",
        "-O FORMAT (--output) is the format of what is printed; this command reads no messages",
    ),
    habit(&["-f", "-F", "--template"], "format", "--format TEMPLATE prints messages in a format of your own"),
    habit(&["--quiet", "--silent", "-q"], "output", "-O quiet prints nothing"),
    habit(&["--quiet", "--silent", "-q"], "data", "this command prints no messages"),
    habit(
        &["--raw", "--binary"],
        "output",
        "-O raw prints the bytes alone, -O frames any bytes with lengths",
    ),
    habit(&["--timestamp", "--timestamps", "--ts"], "time", "--time prints the time in front of each line"),
    habit(&["--peer", "--source", "--sender"], "from", "--from prints the sender in front of each line"),
    habit(&["--exit", "--wait-time", "--wait", "-W"], "timeout", "-t DURATION (--timeout) is the time limit"),
    habit(&["--id", "--name", "--client-id"], "identity", "--identity ID is the routing id of this socket"),
    habit(&["--listen", "--server", "-l"], "bind", "-b ENDPOINT (--bind) accepts connections"),
    habit(
        &["--url", "--uri", "--address", "--addr", "--broker", "-u", "-a"],
        "connect",
        "an endpoint needs no option, as in tcp://localhost:5555; -b accepts connections at one",
    ),
    habit(
        &["--host", "--hostname", "--port", "-h", "-p", "-H", "-P"],
        "connect",
        "an endpoint holds the host and the port, as in tcp://localhost:5555",
    ),
    habit(
        &["--username", "--user", "-U"],
        "plain_client",
        "--plain-client USER logs in, with the password of --password-file or MQ_PASSWORD",
    ),
    habit(
        &["--password", "--pass"],
        "password_file",
        "a password is never an argument: --password-file PATH or MQ_PASSWORD holds it",
    ),
    habit(&["--curve", "--encrypt"], "curve_client", "--curve-client or --curve-server encrypts"),
    habit(&["--buffer", "--queue"], "hwm", "--hwm N is the length of the queues"),
];

const COMMANDS: &[(&[&str], &str)] = &[
    (&["publish", "publisher"], "pub"),
    (&["subscribe", "subscriber"], "sub"),
    (&["request", "ask", "call"], "req"),
    (&["reply", "respond", "serve", "server"], "rep"),
    (&["send", "produce", "producer"], "push"),
    (&["recv", "receive", "listen", "consume", "consumer", "cat"], "pull"),
    (&["forwarder", "queue", "broker", "device", "forward"], "proxy"),
    (&["benchmark", "perf", "latency", "throughput"], "bench"),
    (&["genkey", "keys", "curve"], "keygen"),
    (&["completion"], "completions"),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn habits_name_existing_options() {
        let command = Cli::command();
        let commands: Vec<_> = command.get_subcommands().collect();
        for habit in OPTIONS {
            let has =
                |command: &&&clap::Command| command.get_arguments().any(|arg| arg.get_id() == habit.option);
            assert!(commands.iter().any(|command| has(&command)), "{}", habit.option);
        }
        for (_, name) in COMMANDS {
            assert!(command.find_subcommand(name).is_some(), "{name}");
        }
    }
}
