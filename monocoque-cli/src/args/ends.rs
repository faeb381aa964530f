//! The sockets of a proxy: `TYPE@ENDPOINT[,ENDPOINT...]`. Each endpoint is bound, or connected to
//! with `connect:` in front.

use std::str::FromStr;

use monocoque::zmq::SocketType;

use super::connection::EndpointArgs;
use super::values;

/// One socket of a proxy.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) kind: SocketType,
    pub(crate) endpoints: EndpointArgs,
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, list) =
            text.split_once('@').ok_or("an end is TYPE@ENDPOINT, as in 'router@tcp://*:5555'")?;
        let mut endpoints = EndpointArgs::default();
        for endpoint in list.split(',') {
            let parsed = match endpoint.strip_prefix("connect:") {
                Some(endpoint) => {
                    values::to_connect(endpoint).map(|endpoint| endpoints.connect.push(endpoint))
                }
                None => values::to_bind(endpoint.strip_prefix("bind:").unwrap_or(endpoint))
                    .map(|endpoint| endpoints.bind.push(endpoint)),
            };
            parsed.map_err(|error| format!("{endpoint}: {error}"))?;
        }
        Ok(Self { kind: values::socket_type(kind)?, endpoints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_binds_by_default() {
        let end: End = "xsub@tcp://*:5555,connect:ipc:///tmp/a,bind:tcp://127.0.0.1:0".parse().unwrap();
        assert_eq!(end.kind, SocketType::Xsub);
        let texts =
            |endpoints: &[monocoque::Endpoint]| endpoints.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&end.endpoints.bind), ["tcp://*:5555", "tcp://127.0.0.1:0"]);
        assert_eq!(texts(&end.endpoints.connect), ["ipc:///tmp/a"]);
    }

    #[test]
    fn malformed_end_is_rejected() {
        for wrong in
            ["", "router", "router@", "socket@tcp://*:1", "router@tcp://*:1,", "router@connect:tcp://*:1"]
        {
            assert!(wrong.parse::<End>().is_err(), "{wrong}");
        }
    }
}
