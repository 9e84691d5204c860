//! What a request asks for, read once by one reader, and whether it may: the grant of the
//! task and the offer of this worker have to admit it, and so every address that its name
//! leads to.

use super::address;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use reqwest::Url;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Position};
use wasmhost_proto::http::{HttpRefusal, HttpRequest};
use wasmhost_proto::reach::{Reach, Scheme, Target};
use wasmhost_proto::secret::{HANDLE, Secret, place};

/// Why a request is not sent, or came to nothing.
pub(super) type Refused = (HttpRefusal, String);

/// Headers that are the connection's and no task's: with them a request could be two, or go
/// to somebody else.
const OURS: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// What begins the names of others of that kind.
const PROXY: &str = "proxy-";

/// A request that makes sense, in the form that it is sent in.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) scheme: Scheme,
    pub(super) host: Host<String>,
    pub(super) port: u16,
    /// Path and query.
    pub(super) path: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The two keys that a worker knows of.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    /// What the task asks for, as far as the operator allows it.
    pub(super) granted: &'a [Reach],
    /// What this worker offers.
    pub(super) offered: &'a [Reach],
    /// What may stand in headers.
    pub(super) secrets: &'a [Secret],
}

fn invalid(why: impl Into<String>) -> Refused {
    (HttpRefusal::Invalid, why.into())
}

impl Asked {
    /// Reads a request.
    pub(super) fn read(request: HttpRequest) -> Result<Asked, Refused> {
        if let Some(why) = request.fault() {
            return Err(invalid(why));
        }
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| invalid("the method is none"))?;
        let url = Url::parse(&request.url);
        let url = url.map_err(|error| invalid(format!("the address is none: {error}")))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(invalid("the address begins with neither http: nor https:")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            let why = "the address names a user: give it as the header `authorization`";
            return Err(invalid(why));
        }
        let host = url
            .host()
            .ok_or_else(|| invalid("the address has no host"))?;
        let path = url[Position::BeforePath..Position::AfterQuery].parse();
        Ok(Asked {
            host: host.to_owned(),
            port: url.port().unwrap_or(scheme.port()),
            path: path.map_err(|error| invalid(format!("the address has no path: {error}")))?,
            method,
            scheme,
            headers: headers(&request.headers)?,
            body: request.body,
        })
    }

    /// The address, if the request names one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(IpAddr::from(address).to_canonical()),
        }
    }

    /// The value of the header `host`.
    pub(super) fn authority(&self) -> String {
        match self.port == self.scheme.port() {
            true => self.host.to_string(),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn target(&self) -> Target<'_> {
        match (&self.host, self.address()) {
            (_, Some(address)) => address::target(address),
            (Host::Domain(name), None) => Target::Name(name),
            // An address is one.
            (_, None) => Target::Name(""),
        }
    }
}

/// What may be told of a request: not its path, which may hold what is nobody's business.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, scheme) = (&self.method, self.scheme.as_str());
        write!(f, "{method} {scheme}://{}", self.authority())
    }
}

fn headers(given: &[(String, String)]) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(invalid(format!("{name:?} is no name of a header")));
        };
        if OURS.contains(&key) || key.as_str().starts_with(PROXY) {
            let why = format!("the header `{key}` is the platform's, and cannot be given");
            return Err(invalid(why));
        }
        let value = HeaderValue::from_bytes(value.as_bytes());
        let Ok(value) = value else {
            return Err(invalid(format!("the value of the header `{key}` is none")));
        };
        headers.append(key, value);
    }
    Ok(headers)
}

impl Keys<'_> {
    /// Whether a request may be sent, as far as its address says.
    pub(super) fn judge(&self, asked: &Asked) -> Result<(), Refused> {
        let target = asked.target();
        let why = if !admit(self.granted, asked, target) {
            format!(
                "the task does not ask for it: its definition says so with `network = [\"{asked}\"]`"
            )
        } else if !admit(self.offered, asked, target) {
            "this worker does not offer it any more".into()
        } else {
            return Ok(());
        };
        Err((
            HttpRefusal::NotGranted,
            format!("{asked} is not granted: {why}"),
        ))
    }

    /// Puts secrets into the headers that name them, where the operator lets them go with
    /// this request.
    pub(super) fn fill(&self, asked: &mut Asked) -> Result<(), Refused> {
        let mut headers = std::mem::take(&mut asked.headers);
        for (name, value) in headers.iter_mut() {
            // They came as text.
            let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
            if !text.contains(HANDLE) {
                continue;
            }
            let refused = |why: String| (HttpRefusal::NotGranted, why);
            let unknown = |secret: &str| {
                refused(format!(
                    "the task does not ask for the secret '{secret}', or it is not kept any more"
                ))
            };
            let may = |secret: &Secret| match admit(&secret.to, asked, asked.target()) {
                true => Ok(()),
                false => {
                    let name = &secret.name;
                    Err(refused(format!(
                        "the secret '{name}' may not go with {asked}"
                    )))
                }
            };
            let filled = place(text, self.secrets, unknown, may)?;
            *value = HeaderValue::from_str(&filled)
                .map_err(|_| invalid(format!("the header `{name}` cannot hold the secret")))?;
            value.set_sensitive(true);
        }
        asked.headers = headers;
        Ok(())
    }

    /// Those of a name's addresses that a request may go to. One that is not open to the
    /// world has to be granted by itself.
    pub(super) fn reachable(
        &self,
        asked: &Asked,
        found: &[IpAddr],
    ) -> Result<Vec<SocketAddr>, Refused> {
        let may = |target: &Target<'_>| match target {
            Target::Closed(_) => [self.granted, self.offered]
                .iter()
                .all(|key| admit(key, asked, *target)),
            _ => true,
        };
        let targets = found.iter().map(|address| address::target(*address));
        let reachable: Vec<SocketAddr> = targets
            .filter(may)
            .filter_map(|target| match target {
                Target::Open(address) | Target::Closed(address) => {
                    Some(SocketAddr::new(address, asked.port))
                }
                Target::Name(_) => None,
            })
            .collect();
        match (reachable.is_empty(), found.is_empty()) {
            (false, _) => Ok(reachable),
            (true, true) => Err((
                HttpRefusal::Failed,
                format!("{asked}: the host is not known"),
            )),
            (true, false) => {
                let why = "the host is not open to the world: the address that it has would have \
                           to be granted by itself";
                Err((
                    HttpRefusal::NotGranted,
                    format!("{asked} is not granted: {why}"),
                ))
            }
        }
    }
}

fn admit(key: &[Reach], asked: &Asked, target: Target<'_>) -> bool {
    let method = asked.method.as_str();
    key.iter()
        .any(|reach| reach.admits(method, asked.scheme, target, asked.port))
}
