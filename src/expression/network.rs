//! Networks of addresses, as far as Python's `ipaddress` has them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address and how many of its leading bits name the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

/// Not a network.
#[derive(Debug, PartialEq, Eq)]
pub struct NoNet;

const fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl Net {
    fn address_of(self, bits: u128) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or_default()).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
        }
    }

    /// The bits of an address that are not the network's.
    fn host_bits(self) -> u128 {
        let free = width(self.address) - self.prefix;
        1_u128.checked_shl(u32::from(free)).map_or(u128::MAX, |n| n - 1)
    }

    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    pub fn has_host_bits(self) -> bool {
        bits(self.address) & self.host_bits() != 0
    }

    pub fn first(self) -> IpAddr {
        self.address_of(bits(self.address) & !self.host_bits())
    }

    pub fn last(self) -> IpAddr {
        self.address_of(bits(self.address) | self.host_bits())
    }

    pub fn mask(self) -> IpAddr {
        let all = if self.address.is_ipv4() { u128::from(u32::MAX) } else { u128::MAX };
        self.address_of(all & !self.host_bits())
    }

    /// How many addresses there are, where 63 bits hold the number.
    pub fn addresses(self) -> Option<u64> {
        self.host_bits().checked_add(1).and_then(|n| u64::try_from(n).ok()).filter(|n| i64::try_from(*n).is_ok())
    }

    pub fn contains(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.address.is_ipv4() && bits(ip) & !self.host_bits() == bits(self.first())
    }
}

impl FromStr for Net {
    type Err = NoNet;

    fn from_str(text: &str) -> Result<Self, NoNet> {
        let (address, mask) = text.split_once('/').map_or((text, None), |(ip, mask)| (ip, Some(mask)));
        let address: IpAddr = address.parse().map_err(|_| NoNet)?;
        let prefix = match mask {
            None => width(address),
            Some(mask) => match mask.parse::<u8>() {
                Ok(prefix) if prefix <= width(address) => prefix,
                Ok(_) => return Err(NoNet),
                Err(_) => {
                    let mask = mask.parse::<Ipv4Addr>().ok().filter(|_| address.is_ipv4()).ok_or(NoNet)?.to_bits();
                    let prefix = mask.leading_ones();
                    if mask.checked_shl(prefix).unwrap_or(0) != 0 {
                        return Err(NoNet);
                    }
                    u8::try_from(prefix).map_err(|_| NoNet)?
                }
            },
        };
        Ok(Self { address, prefix })
    }
}

/// The network, without the bits of a host.
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().expect("a network")
    }

    #[test]
    fn networks_hold_what_they_hold() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(net("10.0.0.0/8").contains(ip("10.255.0.1")) && !net("10.0.0.0/8").contains(ip("11.0.0.1")));
        assert!(net("0.0.0.0/0").contains(ip("1.2.3.4")) && !net("0.0.0.0/0").contains(ip("::1")));
        assert!(net("::/0").contains(ip("ff::1")));
        assert_eq!(net("10.0.0.1/255.0.0.0").to_string(), "10.0.0.0/8");
        assert_eq!(net("10.0.0.0/8").addresses(), Some(1 << 24));
        assert_eq!(net("::/0").addresses(), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "::1/255.0.0.0", "x/8", "10.0.0.0/"] {
            assert_eq!(text.parse::<Net>(), Err(NoNet), "{text}");
        }
    }
}
