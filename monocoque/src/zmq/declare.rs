//! The macro that declares a socket type.

/// Declares a socket type: a handle in a type of its own, with the methods of every socket and
/// those of its capabilities.
macro_rules! socket {
    (
        $(#[$doc:meta])*
        pub struct $name:ident($pattern:ident): $first:ident $(+ $further:ident)*;
    ) => {
        $(#[$doc])*
        ///
        /// # Handles
        ///
        /// A value of this type is a handle: cheap to clone, `Send` and `Sync`, every method takes
        /// `&self`. The connections live on a thread of the [`Context`](crate::Context). When the
        /// last handle is dropped, the socket is closed as by [`close`](Self::close), without
        /// waiting.
        ///
        /// Unless its documentation says otherwise, a future of a socket is cancel safe: dropping
        /// it before it is ready leaves the socket as if it had not been called.
        #[derive(Clone)]
        pub struct $name($crate::zmq::any::AnySocket);

        impl $name {
            #[inline]
            fn handle(&self) -> &$crate::zmq::handle::Handle {
                self.0.handle()
            }
        }

        impl $crate::zmq::socket::sealed::Sealed for $name {
            type Lack = std::convert::Infallible;

            fn from_any(socket: $crate::zmq::any::AnySocket) -> Self {
                Self(socket)
            }

            #[inline]
            fn untyped(&self) -> &$crate::zmq::any::AnySocket {
                &self.0
            }

            #[inline]
            fn check(&self, _: $crate::zmq::kind::Capability) -> Result<(), Self::Lack> {
                Ok(())
            }
        }

        impl $crate::zmq::socket::sealed::SealedType for $name {
            fn kind() -> $crate::zmq::kind::Kind {
                use $crate::zmq::kind::{Capabilities, Capability};

                let capabilities = Capabilities::of(&[Capability::$first $(, Capability::$further)*]);
                $crate::zmq::kind::Kind { pattern: &$crate::pattern::$pattern, capabilities }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.handle().fmt_as(stringify!($name), f)
            }
        }

        impl From<$name> for $crate::zmq::any::AnySocket {
            fn from(socket: $name) -> Self {
                socket.0
            }
        }

        /// Succeeds if the socket is of this type.
        impl TryFrom<$crate::zmq::any::AnySocket> for $name {
            type Error = $crate::zmq::any::WrongSocketType;

            fn try_from(socket: $crate::zmq::any::AnySocket) -> Result<Self, Self::Error> {
                socket.into_type($crate::pattern::$pattern.socket_type).map(Self)
            }
        }

        impl $crate::zmq::Socket for $name {}
        impl $crate::zmq::TypedSocket for $name {}
        methods!($name: type_methods, socket_methods, readiness_methods);
        descriptor!($name);
        capability!($name: $first);
        $(capability!($name: $further);)*
    };
}

/// Gives a socket type a capability, and the methods of it.
macro_rules! capability {
    ($name:ident: Sends) => {
        impl $crate::zmq::capability::Sends for $name {}
        methods!($name: send_methods);
    };
    ($name:ident: Receives) => {
        impl $crate::zmq::capability::Receives for $name {}
        methods!($name: recv_methods);
    };
    ($name:ident: RoutesById) => {
        impl $crate::zmq::capability::RoutesById for $name {}
        methods!($name: by_id_methods);
    };
    ($name:ident: Publishes) => {
        impl $crate::zmq::capability::Publishes for $name {}
        methods!($name: publish_methods);
    };
    ($name:ident: Subscribes) => {
        impl $crate::zmq::capability::Subscribes for $name {}
        methods!($name: subscribe_methods);
    };
    ($name:ident: Requests) => {
        impl $crate::zmq::capability::Requests for $name {}
        methods!($name: request_methods);
    };
    ($name:ident: $option:ident) => {
        impl $crate::zmq::capability::$option for $name {}
    };
}

/// Gives a socket type the methods of these macros. Their examples are run once, where the trait of
/// the capability has them.
macro_rules! methods {
    ($name:ident: $($group:ident),+) => {$(
        #[cfg(not(doctest))]
        impl $name {
            $group!(pub fn);
        }
    )+};
}
