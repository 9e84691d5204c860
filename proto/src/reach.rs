//! Where a task may send requests: `GET https://api.example.com`, in definitions, ceilings
//! and offers. Owns how that is written and what it covers; resolves nothing.

use crate::limits::MAX_REACH;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Requests of some methods to a host and a port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reach {
    /// Sorted, each once; none for all.
    methods: Vec<String>,
    scheme: Scheme,
    host: Host,
    /// None for every port.
    port: Option<u16>,
}

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Within TLS.
    Https,
}

/// Whom requests go to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Host {
    /// `*`: every name, and every address that is open to the world.
    Any,
    /// `*.example.com`: names that end so.
    Below(String),
    Name(String),
    Address(IpAddr),
}

/// Whom one request goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// A name, in small letters.
    Name(&'a str),
    /// An address that is open to the world.
    Open(IpAddr),
    /// Any other address: it has to be named itself.
    Closed(IpAddr),
}

/// Methods that make something else of a connection, or send back what is not the task's.
const NEVER: [&str; 2] = ["CONNECT", "TRACE"];
const EXAMPLE: &str = "write it as in \"GET https://api.example.com\"";

impl Scheme {
    /// As in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port where none is said.
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl Reach {
    /// Whether everything that `other` is about is among what this is about.
    pub fn covers(&self, other: &Reach) -> bool {
        let methods = self.methods.is_empty()
            || !other.methods.is_empty()
                && other.methods.iter().all(|one| self.methods.contains(one));
        let host = match (&self.host, &other.host) {
            (Host::Any, Host::Address(_)) => false,
            (Host::Any, _) => true,
            (Host::Below(end), Host::Name(name) | Host::Below(name)) => {
                is_below(name, end) || matches!(&other.host, Host::Below(same) if same == end)
            }
            (mine, theirs) => mine == theirs,
        };
        let port = self.port.is_none() || self.port == other.port;
        methods && self.scheme == other.scheme && host && port
    }

    /// Whether a request is among what this is about.
    pub fn admits(&self, method: &str, scheme: Scheme, target: Target<'_>, port: u16) -> bool {
        let host = match (&self.host, target) {
            (Host::Any, Target::Name(_) | Target::Open(_)) => true,
            (Host::Below(end), Target::Name(name)) => is_below(name, end),
            (Host::Name(mine), Target::Name(name)) => mine == name,
            (Host::Address(mine), Target::Open(address) | Target::Closed(address)) => {
                *mine == address
            }
            _ => false,
        };
        let methods = self.methods.is_empty() || self.methods.iter().any(|one| one == method);
        methods && self.scheme == scheme && host && self.port.is_none_or(|mine| mine == port)
    }
}

/// Whether a name is one below `end`, which is not below itself.
fn is_below(name: &str, end: &str) -> bool {
    let above = name.strip_suffix(end);
    above.is_some_and(|above| above.len() > 1 && above.ends_with('.'))
}

impl FromStr for Reach {
    type Err = String;

    fn from_str(text: &str) -> Result<Reach, String> {
        if text.len() > MAX_REACH {
            return Err(format!("it is longer than {MAX_REACH} bytes"));
        }
        let (methods, rest) = text.split_once(' ').ok_or(EXAMPLE)?;
        let (scheme, rest) = rest.split_once("://").ok_or(EXAMPLE)?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("\"{other}\" is neither http nor https")),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or("a ] is missing")?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or(EXAMPLE)?),
                };
                let address: Ipv6Addr = host.parse().map_err(|_| not_a_host(host))?;
                (Host::Address(address.to_canonical()), port)
            }
            None => {
                let (host, port) = match rest.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (rest, None),
                };
                (host_of(host)?, port)
            }
        };
        let port = match port {
            None => Some(scheme.port()),
            Some("*") => None,
            Some(digits) => Some(port_of(digits)?),
        };
        Ok(Reach {
            methods: methods_of(methods)?,
            scheme,
            host,
            port,
        })
    }
}

fn methods_of(text: &str) -> Result<Vec<String>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let mut methods = Vec::new();
    for method in text.split(',') {
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(format!("\"{method}\" is no method; {EXAMPLE}"));
        }
        if NEVER.contains(&method) {
            return Err(format!("the method {method} cannot be granted"));
        }
        methods.push(method.to_owned());
    }
    methods.sort_unstable();
    methods.dedup();
    Ok(methods)
}

fn port_of(digits: &str) -> Result<u16, String> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| plain && *port > 0);
    port.ok_or_else(|| format!("\"{digits}\" is no port; a path cannot be granted"))
}

fn host_of(text: &str) -> Result<Host, String> {
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some(end) = text.strip_prefix("*.") {
        return Ok(Host::Below(name_of(end)?));
    }
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Host::Address(address.into())),
        Err(_) => Ok(Host::Name(name_of(text)?)),
    }
}

/// A name as it goes to a resolver. One whose last part is a number would be an address to
/// some readers.
fn name_of(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !part.is_empty() && part.len() <= 63 && part.bytes().all(plain)
    };
    let number = |last: &str| last.starts_with(|c: char| c.is_ascii_digit());
    let is_name = text.len() <= 253
        && text.split('.').all(part)
        && !text.rsplit('.').next().is_some_and(number);
    match is_name {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(not_a_host(text)),
    }
}

fn not_a_host(text: &str) -> String {
    let slash = match text.contains('/') {
        true => "; a path cannot be granted",
        false => "",
    };
    format!("\"{text}\" is no host{slash}: write a name, *.example.com, 192.0.2.1 or [2001:db8::1]")
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.methods.is_empty() {
            true => f.write_str("*")?,
            false => f.write_str(&self.methods.join(","))?,
        }
        write!(f, " {}://", self.scheme.as_str())?;
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Below(end) => write!(f, "*.{end}")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        match self.port {
            None => f.write_str(":*"),
            Some(port) if port == self.scheme.port() => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

impl TryFrom<String> for Reach {
    type Error = String;

    fn try_from(text: String) -> Result<Reach, String> {
        text.parse()
            .map_err(|why| format!("\"{text}\" grants no requests: {why}"))
    }
}

impl From<Reach> for String {
    fn from(reach: Reach) -> String {
        reach.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Reach {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn reaches_are_written_in_one_way() {
        let check = |text: &str, want: &str| {
            assert_eq!(reach(text).to_string(), want);
            assert_eq!(reach(want), reach(text));
        };
        check("GET https://a.example", "GET https://a.example");
        check(
            "POST,GET,GET http://A.Example:80",
            "GET,POST http://a.example",
        );
        check(
            "* https://*.example.com:8443",
            "* https://*.example.com:8443",
        );
        check("* http://*:*", "* http://*:*");
        check("GET http://127.0.0.1:8080", "GET http://127.0.0.1:8080");
        check("GET http://[::1]", "GET http://[::1]");
        check("GET http://[::ffff:10.0.0.1]:1", "GET http://10.0.0.1:1");
    }

    #[test]
    fn what_grants_nothing() {
        for (text, want) in [
            ("", "write it as"),
            ("https://a.example", "write it as"),
            ("GET a.example", "write it as"),
            ("GET ftp://a.example", "neither http"),
            ("get https://a.example", "no method"),
            ("GET, https://a.example", "no method"),
            ("CONNECT https://a.example", "cannot be granted"),
            ("TRACE,GET https://a.example", "cannot be granted"),
            ("GET https://a.example/path", "a path cannot"),
            ("GET https://a.example:443/path", "a path cannot"),
            ("GET https://a.example:", "no port"),
            ("GET https://a.example:0", "no port"),
            ("GET https://a.example:+80", "no port"),
            ("GET https://a.example:65536", "no port"),
            ("GET https://user@a.example", "no host"),
            ("GET https://", "no host"),
            ("GET https://a..example", "no host"),
            ("GET https://a.example.", "no host"),
            ("GET https://a.*", "no host"),
            ("GET https://*.*", "no host"),
            ("GET https://a*.example", "no host"),
            ("GET https://2130706433", "no host"),
            ("GET https://0x7f.1", "no host"),
            ("GET https://0x7f000001", "no host"),
            ("GET https://127.1", "no host"),
            ("GET https://0177.0.0.1", "no host"),
            ("GET https://[127.0.0.1]", "no host"),
            ("GET https://[::1", "] is missing"),
            ("GET https://b\u{fc}cher.example", "no host"),
        ] {
            let why = text.parse::<Reach>().unwrap_err();
            assert!(why.contains(want), "{text}: {why}");
        }
    }

    #[test]
    fn what_covers_what() {
        let check = |wide: &str, narrow: &str, want: bool| {
            assert_eq!(reach(wide).covers(&reach(narrow)), want, "{wide} {narrow}");
        };
        check("GET https://a.example", "GET https://a.example", true);
        check("* https://a.example", "GET https://a.example", true);
        check("GET,POST https://a.example", "POST https://a.example", true);
        check("GET https://a.example", "GET,POST https://a.example", false);
        check("GET https://a.example", "* https://a.example", false);
        check("GET https://a.example", "GET http://a.example", false);
        check("GET https://a.example", "GET https://a.example:8443", false);
        check("GET https://a.example:*", "GET https://a.example:1", true);
        check("GET https://a.example:1", "GET https://a.example:*", false);
        check("* https://*.a.example", "* https://b.a.example", true);
        check("* https://*.a.example", "* https://c.b.a.example", true);
        check("* https://*.a.example", "* https://*.b.a.example", true);
        check("* https://*.a.example", "* https://*.a.example", true);
        check("* https://*.a.example", "* https://a.example", false);
        check("* https://*.a.example", "* https://ba.example", false);
        check("* https://*.a.example", "* https://*", false);
        check("* https://*", "* https://*.a.example", true);
        check("* https://*", "* https://*", true);
        // Addresses are named one by one.
        check("* https://*", "* https://127.0.0.1", false);
        check("* https://*", "* https://192.0.2.1", false);
        check("* https://127.0.0.1", "* https://127.0.0.1", true);
    }

    #[test]
    fn which_requests_are_admitted() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let check = |text: &str, method: &str, target: Target<'_>, port: u16, want: bool| {
            let admits = reach(text).admits(method, Scheme::Http, target, port);
            assert_eq!(admits, want, "{text}: {method} {target:?} {port}");
        };
        let name = Target::Name("a.example");
        check("GET http://a.example", "GET", name, 80, true);
        check("GET http://a.example", "POST", name, 80, false);
        check("GET http://a.example", "get", name, 80, false);
        check("GET http://a.example", "GET", name, 81, false);
        check("GET https://a.example:80", "GET", name, 80, false);
        check("* http://*.example", "PUT", name, 80, true);
        check("* http://*.a.example", "PUT", name, 80, false);
        check("* http://*:*", "PUT", name, 7, true);
        check("* http://*:*", "GET", Target::Open(local), 7, true);
        check("* http://*:*", "GET", Target::Closed(local), 7, false);
        check("* http://127.0.0.1", "GET", Target::Closed(local), 80, true);
        check("* http://127.0.0.1", "GET", Target::Closed(local), 8, false);
        check(
            "* http://127.0.0.2",
            "GET",
            Target::Closed(local),
            80,
            false,
        );
    }
}
