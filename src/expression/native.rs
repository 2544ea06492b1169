//! What the prelude asks of the worker itself: arithmetic on addresses, which is quicker and shorter here.

use super::{network::Net, value};
use monty_types::{ExcType, MontyException, MontyObject};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use std::net::IpAddr;

/// Answers `_tsr_native(name, …)`.
///
/// # Errors
/// An exception, when the call is not one of the prelude's.
pub fn call(arguments: &[MontyObject]) -> Result<MontyObject, MontyException> {
    let text = |index: usize| match arguments.get(index) {
        Some(MontyObject::String(text)) => text.as_str(),
        _ => "",
    };
    Ok(match text(0) {
        "datetime" => match chrono::DateTime::parse_from_rfc3339(text(1)) {
            Ok(at) => value::datetime(at.to_utc()),
            Err(_) => return Err(MontyException::new(ExcType::ValueError, Some("not an instant".to_owned()))),
        },
        "uuid5" => MontyObject::String(uuid5(text(1), text(2))),
        "address" => text(1).parse().map_or(MontyObject::None, |ip| value::to_python(address(ip))),
        "network" => network(text(1), matches!(arguments.get(2), Some(MontyObject::Bool(true)))),
        name => {
            let text = format!("no native function {name}");
            return Err(MontyException::new(ExcType::RuntimeError, Some(text)));
        }
    })
}

/// RFC 9562 §5.5, as 32 hexadecimal digits.
fn uuid5(namespace: &str, name: &str) -> String {
    let namespace = uuid::Uuid::parse_str(namespace).unwrap_or_default();
    let digest = Sha1::new().chain_update(namespace.as_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid().simple().to_string()
}

/// Networks that Python's `ipaddress` calls private.
const PRIVATE: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
];
const LINK_LOCAL: &str = "fe80::/10";
const SHARED: &str = "100.64.0.0/10";
/// Within those, what is not private after all.
const PUBLIC: [&str; 8] = [
    "192.0.0.9/32",
    "192.0.0.10/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
];

fn within(ip: IpAddr, network: &str) -> bool {
    network.parse::<Net>().is_ok_and(|net| net.contains(ip))
}

/// What Python's `ipaddress` says of an address.
fn address(ip: IpAddr) -> Value {
    let private = (PRIVATE.iter().any(|net| within(ip, net)) || within(ip, LINK_LOCAL))
        && !PUBLIC.iter().any(|net| within(ip, net));
    json!({
        "version": if ip.is_ipv4() { 4 } else { 6 },
        "compressed": ip.to_string(),
        "_number": match ip {
            IpAddr::V4(ip) => format!("{:x}", ip.to_bits()),
            IpAddr::V6(ip) => format!("{:x}", ip.to_bits()),
        },
        "exploded": exploded(ip),
        "is_private": private,
        "is_global": !private && !within(ip, SHARED),
        "is_loopback": ip.is_loopback(),
        "is_multicast": ip.is_multicast(),
        "is_unspecified": ip.is_unspecified(),
        "is_link_local": within(ip, LINK_LOCAL) || within(ip, "169.254.0.0/16"),
        "is_reserved": within(ip, "240.0.0.0/4"),
    })
}

fn exploded(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.segments().map(|segment| format!("{segment:04x}")).join(":"),
    }
}

/// What Python's `ipaddress` says of a network: a dictionary, the text of an error, or `None`.
fn network(text: &str, strict: bool) -> MontyObject {
    let Ok(net) = text.parse::<Net>() else { return MontyObject::None };
    if strict && net.has_host_bits() {
        return MontyObject::String(format!("{text} has host bits set"));
    }
    let (first, last) = (net.first(), net.last());
    let private = |ip| address(ip)["is_private"].as_bool() == Some(true);
    let mut facts = json!({
        "version": if first.is_ipv4() { 4 } else { 6 },
        "with_prefixlen": net.to_string(),
        "compressed": net.to_string(),
        "prefixlen": net.prefix(),
        "network_address": address(first),
        "broadcast_address": address(last),
        "netmask": address(net.mask()),
        "is_private": private(first) && private(last),
    });
    // Beyond what a JSON number holds there is no such attribute.
    if let Some(count) = net.addresses() {
        facts["num_addresses"] = count.into();
    }
    value::to_python(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_python_says() {
        let private = |ip: &str| address(ip.parse().expect("address"))["is_private"].as_bool();
        assert_eq!(private("10.0.0.1"), Some(true));
        assert_eq!(private("127.0.0.1"), Some(true));
        assert_eq!(private("8.8.8.8"), Some(false));
        assert_eq!(private("192.0.0.9"), Some(false));
        assert_eq!(private("2001:db8::1"), Some(true));
        assert_eq!(private("2a00::1"), Some(false));
        assert_eq!(exploded("::1".parse().expect("address")), "0000:0000:0000:0000:0000:0000:0000:0001");
    }

    #[test]
    fn networks_are_read_with_both_masks() {
        assert!(
            matches!(network("10.0.0.1/8", true), MontyObject::String(text) if text == "10.0.0.1/8 has host bits set")
        );
        assert!(matches!(network("10.0.0.0/255.0.0.0", true), MontyObject::Dict(_)));
        assert!(matches!(network("10.0.0.0/99", true), MontyObject::None));
    }

    #[test]
    fn names_make_identifiers() {
        // RFC 9562, appendix A.4.
        assert_eq!(uuid5("6ba7b8109dad11d180b400c04fd430c8", "www.example.com"), "2ed6657de927568b95e12665a8aea6a2");
    }
}
