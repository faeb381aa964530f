//! What one end is to do, and how that is said on the command line of the process that does it.

use std::fmt;

/// The first argument of a process that is an end.
pub(crate) const CHILD: &str = "--end";

/// What one end does, without end, until its process is killed.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) library: Library,
    pub(crate) role: Role,
    pub(crate) attach: Attach,
    pub(crate) endpoint: String,
    /// Bytes in a message.
    pub(crate) size: usize,
    /// How many sockets do it, all in this process.
    pub(crate) sockets: usize,
    /// How many messages a DEALER has under way.
    pub(crate) in_flight: usize,
    /// How many PUSH sockets are connected beside them, and do nothing.
    pub(crate) idle: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    Bind,
    Connect,
}

/// An enum whose variants have names.
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
    /// Monocoque, connections and program in one compio runtime.
    Ours = "ours",
    /// Monocoque with an I/O thread, the program on a thread without a runtime.
    OursIo = "ours-io",
    /// libzmq, by the `zmq` crate.
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
    /// Sends one request at a time and times it.
    Req = "req",
    Rep = "rep",
    /// Sends a message whenever one has come back.
    Dealer = "dealer",
    /// Sends everything back.
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

    /// What is sent, again and again.
    pub(crate) fn body(&self) -> Vec<u8> {
        vec![b'm'; self.size]
    }
}
