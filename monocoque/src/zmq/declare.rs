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
        pub struct $name($crate::zmq::handle::Handle);

        impl $name {
            #[inline]
            fn handle(&self) -> &$crate::zmq::handle::Handle {
                &self.0
            }
        }

        impl $crate::zmq::socket::sealed::Sealed for $name {
            fn pattern() -> &'static $crate::pattern::Pattern {
                &$crate::pattern::$pattern
            }

            fn from_handle(handle: $crate::zmq::handle::Handle) -> Self {
                Self(handle)
            }

            #[inline]
            fn handle(&self) -> &$crate::zmq::handle::Handle {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.handle().fmt_as(stringify!($name), f)
            }
        }

        impl $crate::zmq::Socket for $name {}
        methods!($name: socket_methods);
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
