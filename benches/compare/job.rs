//! The job of a child process, and its form on the command line.

use std::fmt;

/// The first argument of a child process.
pub(crate) const CHILD: &str = "--end";

/// The continuous work of a process, until it is killed.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) library: Library,
    pub(crate) role: Role,
    pub(crate) attach: Attach,
    pub(crate) endpoint: String,
    /// The size of a message in bytes.
    pub(crate) size: usize,
    /// The number of sockets of this process.
    pub(crate) sockets: usize,
    /// The number of messages that a DEALER has in flight.
    pub(crate) in_flight: usize,
    /// The number of additional PUSH sockets that are connected and idle.
    pub(crate) idle: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    Bind,
    Connect,
}

/// Declares an enum whose variants have names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident: $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }
    };
}

named! {
    Library:
    /// Monocoque with connections and program in one compio runtime.
    Ours = "ours",
    /// Monocoque with an I/O thread, and the program on a thread without a runtime.
    OursIo = "ours-io",
    /// libzmq, through the `zmq` crate.
    Zmq = "zmq",
    /// Blocking calls on a TCP socket.
    Raw = "raw",
}

named! {
    Role:
    Push = "push",
    Pull = "pull",
    Pub = "pub",
    Sub = "sub",
    /// Sends one request at a time and measures the round trip.
    Req = "req",
    Rep = "rep",
    /// Sends a message whenever one has returned.
    Dealer = "dealer",
    /// Echoes all messages.
    Router = "router",
}

impl Job {
    pub(crate) fn to_args(&self) -> [String; 9] {
        let attach = match self.attach {
            Attach::Bind => "bind",
            Attach::Connect => "connect",
        };
        [
            CHILD.to_owned(),
            self.library.to_string(),
            self.role.to_string(),
            attach.to_owned(),
            self.endpoint.clone(),
            self.size.to_string(),
            self.sockets.to_string(),
            self.in_flight.to_string(),
            self.idle.to_string(),
        ]
    }

    pub(crate) fn from_args(args: &[String]) -> Option<Self> {
        let [library, role, attach, endpoint, size, sockets, in_flight, idle] = args else { return None };
        let attach = match attach.as_str() {
            "bind" => Attach::Bind,
            "connect" => Attach::Connect,
            _ => return None,
        };
        Some(Self {
            library: Library::parse(library)?,
            role: Role::parse(role)?,
            attach,
            endpoint: endpoint.clone(),
            size: size.parse().ok()?,
            sockets: sockets.parse().ok()?,
            in_flight: in_flight.parse().ok()?,
            idle: idle.parse().ok()?,
        })
    }

    /// Returns the message body, which is sent repeatedly.
    pub(crate) fn body(&self) -> Vec<u8> {
        vec![b'm'; self.size]
    }
}
