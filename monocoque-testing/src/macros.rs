//! Macros that turn one test body into several tests, one for each configuration.

/// Makes six tests of each body: over tcp, ipc and inproc, on the current runtime and an I/O
/// thread.
#[macro_export]
macro_rules! everywhere {
    ($($bodies:tt)+) => {
        $crate::bodies! {
            {
                tcp_current_runtime = Tcp, Current;
                tcp_io_thread = Tcp, Thread;
                ipc_current_runtime = Ipc, Current;
                ipc_io_thread = Ipc, Thread;
                inproc_current_runtime = Inproc, Current;
                inproc_io_thread = Inproc, Thread;
            }
            $($bodies)+
        }
    };
}

/// Makes four tests of each body, over tcp and ipc: for behaviour of streams, which inproc lacks.
#[macro_export]
macro_rules! over_streams {
    ($($bodies:tt)+) => {
        $crate::bodies! {
            {
                tcp_current_runtime = Tcp, Current;
                tcp_io_thread = Tcp, Thread;
                ipc_current_runtime = Ipc, Current;
                ipc_io_thread = Ipc, Thread;
            }
            $($bodies)+
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! bodies {
    ($ways:tt $($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            pub(super) async fn body($at: $crate::At) $body

            $crate::ways! $ways
        }
    )+};
}

#[doc(hidden)]
#[macro_export]
macro_rules! ways {
    ($($way:ident = $transport:ident, $placement:ident;)+) => {$(
        #[test]
        fn $way() {
            $crate::run($crate::Transport::$transport, $crate::Placement::$placement, body);
        }
    )+};
}

/// Makes the tests of [`everywhere`], four more on the polling driver, and two embedded.
#[macro_export]
macro_rules! on_every_driver {
    ($($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {
        $crate::everywhere! { $($(#[$attribute])* async fn $name($at) $body)+ }
        $crate::polling! { polling: $($(#[$attribute])* $name)+ }
        $crate::embedded! { embedded: $($(#[$attribute])* $name)+ }
    };
}

/// Makes the tests of [`over_streams`], four more on the polling driver, and two embedded.
#[macro_export]
macro_rules! on_every_driver_over_streams {
    ($($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {
        $crate::over_streams! { $($(#[$attribute])* async fn $name($at) $body)+ }
        $crate::polling! { polling_over_streams: $($(#[$attribute])* $name)+ }
        $crate::embedded! { embedded_over_streams: $($(#[$attribute])* $name)+ }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! polling {
    ($polling:ident: $($(#[$attribute:meta])* $name:ident)+) => {
        mod $polling {
            use $crate::{Placement, Transport};

            $($(#[$attribute])*
            mod $name {
                use super::*;
                use super::super::$name::body;

                #[test]
                fn tcp_current_runtime() {
                    $crate::run_polling(Transport::Tcp, Placement::Current, body);
                }

                #[test]
                fn tcp_io_thread() {
                    $crate::run_polling(Transport::Tcp, Placement::Thread, body);
                }

                #[test]
                fn ipc_current_runtime() {
                    $crate::run_polling(Transport::Ipc, Placement::Current, body);
                }

                #[test]
                fn ipc_io_thread() {
                    $crate::run_polling(Transport::Ipc, Placement::Thread, body);
                }
            })+
        }
    };
}

/// Makes two tests of each body that another macro has made tests of: in an embedded context, over
/// tcp and ipc.
#[macro_export]
macro_rules! embedded {
    ($embedded:ident: $($(#[$attribute:meta])* $name:ident)+) => {
        mod $embedded {
            use $crate::{Placement, Transport};

            $($(#[$attribute])*
            mod $name {
                use super::*;
                use super::super::$name::body;

                #[test]
                fn tcp_embedded() {
                    $crate::run(Transport::Tcp, Placement::Embedded, body);
                }

                #[test]
                fn ipc_embedded() {
                    $crate::run(Transport::Ipc, Placement::Embedded, body);
                }
            })+
        }
    };
}
