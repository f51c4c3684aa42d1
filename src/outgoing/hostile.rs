//! What the other side may try, and what it gets: no connection, or a bounded one.
//!
//! Connections are watched where they would arrive, at a listener's socket.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;

use super::download::{DownloadError, Wish};
use super::fetch::{ANSWER_KEPT, Answer, End, Failure, Order, Outgoing};
use super::names::Asker;
use super::target::Refusal;

/// The deadline of a fetch here, and how much later it may end on a busy machine.
const WITHIN: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(1);

fn by(mode: Mode) -> Asker {
    Asker { tenant: TenantId("shop".into()), mode }
}

fn order() -> Order {
    let body = Bytes::from_static(b"{}");
    Order { method: Method::POST, headers: HeaderMap::new(), body, within: WITHIN, keep: ANSWER_KEPT }
}

/// A name server that answers a name's answers one after the other, and the last one for ever.
#[derive(Default)]
struct Zone(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Zone {
    fn of(name: &str, answers: &[&[IpAddr]]) -> Arc<Self> {
        let zone = Self::default();
        zone.0.lock().insert(name.to_owned(), answers.iter().map(|answer| answer.to_vec()).collect());
        Arc::new(zone)
    }
}

impl Resolve for Zone {
    fn resolve(&self, name: Name) -> Resolving {
        let mut zone = self.0.lock();
        let answers = zone.get_mut(name.as_str()).unwrap_or_else(|| panic!("nobody asks for {name:?}"));
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(Box::new(answer.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs) })
    }
}

fn outgoing(allow: &str, names: Arc<Zone>) -> Outgoing {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Outgoing::with_names(allow.parse().unwrap(), names).unwrap()
}

/// Nobody may knock here.
struct Watch {
    listener: TcpListener,
    port: u16,
}

impl Watch {
    /// On every address of this machine: whatever spells 127.0.0.1, 0.0.0.0 or ::1 arrives here.
    async fn everywhere() -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        Self { port: listener.local_addr().unwrap().port(), listener }
    }

    /// The first to be accepted is ourselves: nobody came before.
    async fn heard_nothing(self) {
        let ours = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap().local_addr().unwrap();
        let (_, first) = self.listener.accept().await.unwrap();
        assert_eq!((first.ip().to_canonical(), first.port()), (ours.ip(), ours.port()));
    }
}

struct Case {
    verdict: &'static str,
    url: String,
    answer: Option<Vec<IpAddr>>,
}

fn cases(port: u16) -> Vec<Case> {
    let lines = include_str!("urls.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (line, answer) = match line.split_once("->") {
                Some((line, answer)) => (line, Some(answer)),
                None => (line, None),
            };
            let mut words = line.split_whitespace();
            let (verdict, url) = (words.next().unwrap(), words.next().unwrap());
            let answer = answer.map(|a| a.split_whitespace().map(|a| a.parse().unwrap()).collect());
            Case { verdict, url: url.replace("PORT", &port.to_string()), answer }
        })
        .collect()
}

#[tokio::test]
async fn no_url_leads_to_where_only_we_can_go() {
    let watch = Watch::everywhere().await;
    let cases = cases(watch.port);
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let mut wrong = vec![];
    for Case { verdict, url, answer } in cases {
        let zone = Arc::new(Zone::default());
        // The port is open, so that the address alone is what stands in the way.
        let outgoing = outgoing(&format!(":{}", watch.port), zone.clone());
        let said = match outgoing.check(&url, by(Mode::Live)) {
            Err(refusal) => refusal.code(),
            Ok(target) => {
                if let Some(answer) = answer {
                    let name = target.url.host_str().unwrap().to_owned();
                    zone.0.lock().insert(name, vec![answer]);
                }
                let found = outgoing.look_up(&target).await.map_or_else(Failure::code, |()| "ok");
                // What is let through is on the internet, where no test goes.
                if found != "ok" {
                    let fetched = outgoing.fetch(&target, order()).await.map_or_else(Failure::code, |_| "ok");
                    assert_eq!(found, fetched, "{url}: when it was looked up, and when it was fetched");
                }
                found
            }
        };
        if said != verdict {
            wrong.push(format!("{url}: {said} instead of {verdict}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    watch.heard_nothing().await;
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_not_followed() {
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    for inside in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"] {
        let watch = Watch::everywhere().await;
        let zone = Zone::of("rebind.example", &[&[public], &[public], &[inside.parse().unwrap()]]);
        let outgoing = outgoing(&format!(":{}", watch.port), zone);
        let url = format!("https://rebind.example:{}/", watch.port);
        let target = outgoing.check(&url, by(Mode::Live)).unwrap();
        // Public when it is registered, and public when it is looked up once more.
        outgoing.look_up(&target).await.unwrap();
        outgoing.look_up(&target).await.unwrap();
        let failure = outgoing.fetch(&target, order()).await.unwrap_err();
        assert_eq!(failure.code(), "blocked_address", "{inside}");
        watch.heard_nothing().await;
    }
}

#[tokio::test]
async fn what_is_meant_for_an_allowed_network_goes_nowhere_else() {
    let watch = Watch::everywhere().await;
    let outgoing = outgoing("10.0.0.0/8", Zone::of("hooks.example", &[&[Ipv4Addr::LOCALHOST.into()]]));
    for (url, code) in
        [("http://hooks.example:PORT/", "port_not_allowed"), ("http://hooks.example/", "https_required")]
    {
        let target = outgoing.check(&url.replace("PORT", &watch.port.to_string()), by(Mode::Live)).unwrap();
        assert_eq!(outgoing.look_up(&target).await.unwrap_err().code(), code);
        assert_eq!(outgoing.fetch(&target, order()).await.unwrap_err().code(), code);
    }
    watch.heard_nothing().await;
}

#[tokio::test]
async fn a_watch_hears_who_is_let_through() {
    // Otherwise the tests above prove nothing.
    let watch = Watch::everywhere().await;
    let outgoing = outgoing("127.0.0.0/8", Zone::of("hooks.example", &[&[Ipv4Addr::LOCALHOST.into()]]));
    for url in ["http://0x7f.1:PORT/", "https://hooks.example:PORT/"] {
        let target = outgoing.check(&url.replace("PORT", &watch.port.to_string()), by(Mode::Live)).unwrap();
        let fetch = outgoing.fetch(&target, order());
        tokio::select! {
            _ = fetch => panic!("it ended by itself"),
            heard = watch.listener.accept() => drop(heard.unwrap()),
        }
    }
}

/// A server that does `serve` with every connection, once a request's head is there.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = std::io::Result<Infallible>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            // It ends when the other side hangs up.
            tokio::spawn(serve(stream));
        }
    });
    url
}

async fn fetch(outgoing: &Outgoing, url: &str) -> Result<Answer, Failure> {
    outgoing.fetch(&outgoing.check(url, by(Mode::Test)).unwrap(), order()).await
}

fn loopback() -> Outgoing {
    outgoing("127.0.0.1", Arc::default())
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let watch = Watch::everywhere().await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://127.0.0.2:{}/", watch.port);
        let url = server(move |mut stream| {
            let to = to.clone();
            async move {
                let head = format!("HTTP/1.1 {status} X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                std::future::pending().await
            }
        })
        .await;
        let answer = fetch(&loopback(), &url).await.unwrap();
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.headers.contains_key(header::LOCATION));
    }
    watch.heard_nothing().await;
}

#[tokio::test]
async fn an_answer_is_kept_up_to_its_limit_and_no_byte_more() {
    for (length, end) in [(0, End::Whole), (ANSWER_KEPT, End::Whole), (ANSWER_KEPT + 1, End::Cut)] {
        let url = server(move |mut stream| async move {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes())
                .await?;
            stream.write_all(&vec![b'x'; length]).await?;
            std::future::pending().await
        })
        .await;
        let answer = fetch(&loopback(), &url).await.unwrap();
        assert_eq!((answer.body.len(), answer.end), (length.min(ANSWER_KEPT), end));
    }
}

/// How a hostile server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Trick {
    /// A byte of the body from time to time, for ever.
    DripBody,
    /// A header from time to time, for ever.
    DripHead,
    /// Headers as fast as they are read, for ever.
    EndlessHead,
    /// A body as fast as it is read, for ever.
    EndlessBody,
    /// The same, with a length.
    Gigabyte,
    /// Zeros for ever, compressed to almost nothing.
    Bomb,
    /// `100 Continue` for ever.
    Continue,
    /// Nothing.
    Silence,
}

const TRICKS: [Trick; 8] = [
    Trick::DripBody,
    Trick::DripHead,
    Trick::EndlessHead,
    Trick::EndlessBody,
    Trick::Gigabyte,
    Trick::Bomb,
    Trick::Continue,
    Trick::Silence,
];

impl Trick {
    /// What a fetch makes of it.
    fn expected(self) -> Result<End, Failure> {
        match self {
            Self::DripBody => Ok(End::TimedOut),
            Self::EndlessBody | Self::Gigabyte | Self::Bomb => Ok(End::Cut),
            Self::EndlessHead => Err(Failure::Broken),
            Self::DripHead | Self::Continue | Self::Silence => Err(Failure::TimedOut),
        }
    }

    /// Plays it until the other side hangs up, and counts what it could write.
    async fn play(self, mut stream: TcpStream, written: Arc<AtomicUsize>) -> std::io::Result<Infallible> {
        const OK: &str = "HTTP/1.1 200 OK\r\n";
        let head = match self {
            Self::DripBody | Self::EndlessBody => format!("{OK}connection: close\r\n\r\n"),
            Self::DripHead | Self::EndlessHead => OK.to_owned(),
            Self::Gigabyte => format!("{OK}content-length: {}\r\n\r\n", 1 << 30),
            Self::Bomb => format!("{OK}content-encoding: gzip\r\nconnection: close\r\n\r\n"),
            Self::Continue | Self::Silence => String::new(),
        };
        stream.write_all(head.as_bytes()).await?;
        let (piece, pause): (Vec<u8>, _) = match self {
            Self::DripBody => (vec![b'x'], Some(Duration::from_millis(100))),
            Self::DripHead => (b"x-drip: x\r\n".to_vec(), Some(Duration::from_millis(300))),
            Self::EndlessHead => ([b"x-endless: ".as_slice(), &[b'x'; 1000], b"\r\n"].concat(), None),
            Self::EndlessBody | Self::Gigabyte => (vec![b'x'; 64 << 10], None),
            // One member after the other is one answer: 64 KiB of zeros in each 100 bytes.
            Self::Bomb => (gzip(&vec![0; 64 << 10]), None),
            Self::Continue => (b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Some(Duration::from_millis(10))),
            Self::Silence => return std::future::pending().await,
        };
        loop {
            stream.write_all(&piece).await?;
            written.fetch_add(piece.len(), Ordering::Relaxed);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, plain).unwrap();
    gzip.finish().unwrap()
}

/// What this process holds in memory, in bytes, where that can be told: on Linux, and where each test has
/// a process of its own. It is counted in pages of 4 KiB.
fn resident() -> usize {
    if std::env::var_os("NEXTEST").is_none() {
        return 0;
    }
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).map_or(0, |pages| pages.parse::<usize>().unwrap() << 12)
}

#[tokio::test]
async fn a_hostile_answer_ends_in_time_and_is_not_read_on() {
    for trick in TRICKS {
        let written = Arc::new(AtomicUsize::new(0));
        let counter = written.clone();
        let url = server(move |stream| trick.play(stream, counter.clone())).await;
        let outgoing = loopback();
        let (before, began) = (resident(), Instant::now());
        let answer = fetch(&outgoing, &url).await;
        assert!(began.elapsed() < WITHIN + GRACE, "{trick:?} took {:?}", began.elapsed());
        assert_eq!(
            answer.as_ref().map(|answer| answer.end).map_err(|failure| *failure),
            trick.expected(),
            "{trick:?}"
        );
        if let Ok(Answer { status, body, .. }) = answer {
            assert!(status == StatusCode::OK && body.len() <= ANSWER_KEPT, "{trick:?}: {} bytes", body.len());
            if trick == Trick::Bomb {
                assert_eq!(body[..2], [0x1f, 0x8b], "it is kept as it came");
            }
        }
        // The rest is what the kernel took on its way; 1 GB it is not.
        let written = written.load(Ordering::Relaxed);
        assert!(written < 32 << 20, "{trick:?} could write {written} bytes");
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{trick:?} took {grown} bytes of memory");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_hostile_endpoints_delay_no_healthy_one() {
    let outgoing = loopback();
    let healthy = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await?;
        Err(std::io::ErrorKind::Other.into())
    })
    .await;
    let before = resident();
    let mut hostile = tokio::task::JoinSet::new();
    for trick in TRICKS.into_iter().cycle().take(200) {
        let url = server(move |stream| trick.play(stream, Arc::default())).await;
        let outgoing = outgoing.clone();
        hostile.spawn(async move {
            let began = Instant::now();
            let _ = fetch(&outgoing, &url).await;
            began.elapsed()
        });
    }
    let mut waits = vec![];
    for _ in 0..100 {
        let began = Instant::now();
        assert_eq!(fetch(&outgoing, &healthy).await.unwrap().body, b"ok");
        waits.push(began.elapsed());
    }
    let grown = resident().saturating_sub(before);
    waits.sort();
    assert!(waits[98] < Duration::from_secs(2), "p99 was {:?}", waits[98]);
    // Both ends of 200 connections are in this process.
    assert!(grown < 200 << 20, "{grown} bytes of memory");
    for took in hostile.join_all().await {
        assert!(took < WITHIN + GRACE, "one took {took:?}");
    }
}

#[tokio::test]
async fn a_failure_says_what_and_not_more() {
    let outgoing = loopback();
    // Nobody listens.
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    assert_eq!(fetch(&outgoing, &format!("http://{gone}/")).await.unwrap_err(), Failure::NoConnection);
    // No TLS is spoken there.
    let silent = server(|stream| Trick::Silence.play(stream, Arc::default())).await;
    let tls = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}/", tls.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = tls.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        std::future::pending::<()>().await;
    });
    assert_eq!(fetch(&outgoing, &url).await.unwrap_err(), Failure::Tls);
    // No answer, and an answer that is not HTTP.
    assert_eq!(fetch(&outgoing, &silent).await.unwrap_err(), Failure::TimedOut);
    let nonsense = server(|mut stream| async move {
        stream.write_all(b"220 mail.example ESMTP\r\n").await?;
        std::future::pending().await
    })
    .await;
    assert_eq!(fetch(&outgoing, &nonsense).await.unwrap_err(), Failure::Broken);
}

#[tokio::test]
async fn a_request_says_how_its_bytes_travel_by_itself() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let outgoing = loopback();
    let mut order = order();
    for (name, value) in [
        ("host", "inside.example"),
        ("transfer-encoding", "chunked"),
        ("content-length", "9999"),
        ("accept-encoding", "gzip"),
        ("connection", "upgrade"),
        ("x-own", "yes"),
    ] {
        order.headers.insert(name, value.parse().unwrap());
    }
    let target = outgoing.check(&format!("http://{address}/hook?a=b"), by(Mode::Test)).unwrap();
    let sent = tokio::spawn(async move { outgoing.fetch(&target, order).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = vec![];
    while !heard.ends_with(b"\r\n\r\n{}") {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap().status, StatusCode::NO_CONTENT);
    let heard = String::from_utf8(heard).unwrap().to_lowercase();
    assert!(heard.starts_with("post /hook?a=b http/1.1\r\n"), "{heard}");
    for line in [&format!("host: {address}"), "content-length: 2", "accept-encoding: identity", "x-own: yes"]
    {
        assert!(heard.contains(&format!("\r\n{line}\r\n")), "{line} is not in {heard}");
    }
    assert!(!heard.contains("inside.example") && !heard.contains("chunked") && !heard.contains("upgrade"));
}

/// What a download may take here.
const WISH: Wish = Wish { within: WITHIN, stall: Duration::from_secs(1), most: 1 << 20 };

/// Downloads to the end; how many bytes there were.
async fn download(outgoing: &Outgoing, url: &str) -> Result<usize, DownloadError> {
    let target = outgoing.check(url, by(Mode::Test)).unwrap();
    let mut download = outgoing.download(target, WISH).await?;
    let mut seen = 0;
    while let Some(piece) = download.chunk().await? {
        seen += piece.len();
    }
    Ok(seen)
}

#[tokio::test]
async fn a_hostile_download_ends_in_time_and_is_not_read_on() {
    for trick in TRICKS {
        let written = Arc::new(AtomicUsize::new(0));
        let counter = written.clone();
        let url = server(move |stream| trick.play(stream, counter.clone())).await;
        let outgoing = loopback();
        let (before, began) = (resident(), Instant::now());
        let said = download(&outgoing, &url).await;
        let expected = match trick {
            Trick::EndlessBody | Trick::Gigabyte => DownloadError::TooLarge { most: WISH.most },
            Trick::Bomb => DownloadError::Compressed,
            Trick::EndlessHead => Failure::Broken.into(),
            Trick::DripBody | Trick::DripHead | Trick::Continue | Trick::Silence => Failure::TimedOut.into(),
        };
        assert_eq!(said, Err(expected), "{trick:?}");
        assert!(began.elapsed() < WITHIN + GRACE, "{trick:?} took {:?}", began.elapsed());
        let written = written.load(Ordering::Relaxed);
        assert!(written < 32 << 20, "{trick:?} could write {written} bytes");
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{trick:?} took {grown} bytes of memory");
    }
}

#[tokio::test]
async fn a_download_that_stalls_or_breaks_off_is_no_file() {
    for (head, body, error) in [
        ("content-length: 100\r\n", "half of it", Some(DownloadError::Stalled)),
        ("connection: close\r\n", "no length", Some(DownloadError::Stalled)),
        ("content-length: 5\r\n", "whole", None),
    ] {
        let url = server(move |mut stream| async move {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").as_bytes()).await?;
            std::future::pending().await
        })
        .await;
        let began = Instant::now();
        let said = download(&loopback(), &url).await;
        assert_eq!(said, error.map_or(Ok(5), Err), "{head}");
        assert!(began.elapsed() < WISH.stall + GRACE, "{head} took {:?}", began.elapsed());
    }
    let url = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it").await?;
        Err(std::io::ErrorKind::Other.into())
    })
    .await;
    assert_eq!(download(&loopback(), &url).await, Err(Failure::Broken.into()));
}

/// A server that redirects each request to where `to` says, by its number.
async fn redirecting(to: impl Fn(usize) -> String + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, to) = (count.clone(), Arc::new(to));
    let url = server(move |mut stream| {
        let to = to(counter.fetch_add(1, Ordering::Relaxed));
        async move {
            let head = format!("HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            Err(std::io::ErrorKind::Other.into())
        }
    })
    .await;
    (url, count)
}

#[tokio::test]
async fn a_redirect_of_a_download_is_vetted_like_the_first_url() {
    let watch = Watch::everywhere().await;
    let port = watch.port;
    // By its own word, and by what a name server says of it, then and not before.
    for (to, refusal) in [
        (format!("http://127.0.0.2:{port}/"), Refusal::Address),
        ("http://10.0.0.1/".to_owned(), Refusal::Address),
        (format!("http://[::1]:{port}/"), Refusal::Address),
        ("http://me:pw@127.0.0.1/".to_owned(), Refusal::UserInfo),
        ("gopher://127.0.0.1/".to_owned(), Refusal::Scheme),
        (format!("http://rebind.example:{port}/"), Refusal::Address),
    ] {
        let (url, count) = redirecting(move |_| to.clone()).await;
        let zone = Zone::of("rebind.example", &[&[Ipv4Addr::new(127, 0, 0, 2).into()]]);
        let outgoing = outgoing(&format!("127.0.0.1, :{port}"), zone);
        let said = download(&outgoing, &url).await;
        assert_eq!(said, Err(Failure::Refused(refusal).into()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
    watch.heard_nothing().await;
}

#[tokio::test]
async fn a_download_follows_three_redirects_and_no_more() {
    let (url, count) = redirecting(|number| format!("/{number}")).await;
    assert_eq!(download(&loopback(), &url).await, Err(DownloadError::TooManyRedirects));
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn no_redirect_leads_from_tls_to_none() {
    let outgoing = loopback();
    let next = |from: &str, to: &str| {
        let from = outgoing.check(from, by(Mode::Test)).unwrap();
        let answer = http::Response::builder().status(302).header(header::LOCATION, to).body("").unwrap();
        outgoing.next(&from, &answer.into()).map(|target| target.as_str().to_owned())
    };
    assert_eq!(next("https://a.example/", "http://a.example/"), Err(DownloadError::Downgrade));
    assert_eq!(next("https://a.example/", "//b.example/x").unwrap(), "https://b.example/x");
    assert_eq!(next("http://a.example/b/c", "d?e#f").unwrap(), "http://a.example/b/d?e");
    assert_eq!(next("http://a.example/", "https://a.example/").unwrap(), "https://a.example/");
}
