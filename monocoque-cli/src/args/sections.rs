//! Sections that pages of `--help` have in common. They are macros because `concat!` takes literals
//! only.

macro_rules! input_formats {
    () => {
        "\
Input formats:
  lines   A message a line, without the line break: a line feed, or a carriage
          return and a line feed. --delimiter separates the frames of a message;
          without it, a line is one frame. For router, tabs separate them
          instead.
  frames  Any bytes. Each frame is: a flag of one byte, 1 if more frames of the
          same message follow, else 0; the length of the body in four bytes,
          big-endian; the body. There is nothing between frames or messages.
  json    An object a line: {\"frames\":[\"text\",{\"base64\":\"AP8=\"}]}
          A frame is a string, which stands for its UTF-8, or an object: with
          its bytes in base64, or as {\"json\":...} with the JSON that it is. An
          optional \"id\" is a frame too, and goes in front of the others. Other
          keys are ignored: what -O json prints can be sent again.
  whole   All of standard input is one message of one frame.

"
    };
}

macro_rules! output_formats {
    () => {
        "\
Output formats:
  lines   A message a line, its frames separated by --delimiter, else by tabs.
          On a terminal, control characters are escaped.
  frames  Any bytes. Each frame is: a flag of one byte, 1 if more frames of the
          same message follow, else 0; the length of the body in four bytes,
          big-endian; the body. -I frames reads the same.
  json    An object a line:
          {\"time\":\"2026-01-31T12:00:00.000000Z\",\"frames\":[\"text\",{\"base64\":\"AP8=\"}]}
          The time is that of receipt. A frame that is not UTF-8 is in base64,
          and with --parse-json one that is a JSON object or array is
          {\"json\":...}. With --from, \"peer\" and \"peer_id\" are the address and the
          routing id of the sender; for router, \"id\" is the routing id that
          stands in front of the frames. -I json reads the same.
  raw     The bytes of all frames, with nothing between them.
  quiet   No output.

"
    };
}

macro_rules! values {
    () => {
        "\
Endpoints:
  tcp://HOST:PORT, ipc://PATH, ipc://@NAME. To bind, HOST may be * for all
  interfaces, PORT may be * for a free one, PATH may be * for a new one. Quote
  a * in a shell.

Durations:
  100ms, 2s, 1m 30s; a bare number is in seconds.

"
    };
}

macro_rules! exit_codes {
    ($zero:literal) => {
        concat!(
            "Exit codes:\n  0    ",
            $zero,
            "\n",
            "  1    Failure, described on standard error. Messages that could not be
       delivered are one, also when mq was interrupted.
  2    An option, its value or a file cannot be used.
  77   A peer refused this socket, for its key, password or address, and
       --timeout expired, or --fail-on-refusal was given.
  124  --timeout expired before all was done.
  130  Ctrl-C before the work was done, or again while messages were still being
       sent.
  143  SIGTERM, likewise.

Ctrl-C and SIGTERM end mq in order: queued messages are sent, for at most --linger.
"
        )
    };
}

macro_rules! receiver_exit_codes {
    () => {
        exit_codes!(
            "Success: --count is reached, or standard output was closed. Without
       --count also if mq was interrupted with all its input sent, or if
       --timeout expired after a message was received."
        )
    };
}

macro_rules! sender_exit_codes {
    () => {
        exit_codes!("Success: all is sent. With --repeat and no --count also if interrupted.")
    };
}

/// The sections of commands that send.
macro_rules! sender_sections {
    () => {
        concat!(input_formats!(), values!(), sender_exit_codes!())
    };
}

/// The sections of commands that receive.
macro_rules! receiver_sections {
    () => {
        concat!(output_formats!(), values!(), receiver_exit_codes!())
    };
}

/// The sections of commands that send and receive at once.
macro_rules! exchange_sections {
    () => {
        concat!(input_formats!(), output_formats!(), values!(), receiver_exit_codes!())
    };
}

pub(super) use {exchange_sections, receiver_sections, sender_sections};
pub(super) use {exit_codes, input_formats, output_formats, receiver_exit_codes, sender_exit_codes, values};
