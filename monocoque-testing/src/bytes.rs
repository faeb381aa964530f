//! Byte encodings for raw test peers that do not use a socket.

/// Returns the greeting of a ZMTP 3.1 peer with the NULL mechanism.
pub fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[..16].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL");
    greeting
}

pub fn ready(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    command(
        "READY",
        &[property("Socket-Type", socket_type.as_bytes()), property("Identity", identity)].concat(),
    )
}

pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name.as_bytes(), &(value.len() as u32).to_be_bytes(), value].concat()
}

pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    frame(4, &[&[name.len() as u8], name.as_bytes(), data].concat())
}

pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(len) => [&[flags, len], body].concat(),
        Err(_) => [&[flags | 2], &(body.len() as u64).to_be_bytes()[..], body].concat(),
    }
}
