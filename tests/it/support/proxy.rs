//! A wire between passerelle and its homeserver that can be slow, cut, or lie.
//!
//! It speaks HTTP/1.1 byte by byte, so that a connection can end in the middle of an answer,
//! and it notes when each request came in, was handed on and was answered: a test can hold an
//! answer back, kill the daemon, and prove where the blow fell. What the daemon ought to do
//! about it is the test's business. Framing lives in `wire`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use self::wire::{Head, Incoming};

#[path = "proxy_wire.rs"]
mod wire;

/// What to do to a request that a rule matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hand the request on only after this long.
    DelayRequest(Duration),
    /// The homeserver acts at once; its answer comes this much later.
    DelayResponse(Duration),
    /// Keep the request until [`Proxy::release`].
    HoldRequest,
    /// The homeserver acts; its answer is kept until [`Proxy::release`].
    HoldResponse,
    /// Close the connection; the homeserver never hears of the request.
    CutRequest,
    /// The homeserver acts; the connection closes after so many bytes of the answer's body,
    /// before its head when there are none.
    CutResponse { after_bytes: usize },
    /// The homeserver answers; its `Date` header becomes this.
    Redate(String),
    /// The homeserver acts; the connection is reset before its answer.
    Reset,
    /// The homeserver acts; so many bytes of its answer's body come, and then nothing, for ever.
    NeverEnd { after_bytes: usize },
    /// The homeserver acts; its answer is announced as so many bytes longer, or shorter, than it
    /// is, and the connection stays open.
    WrongLength(isize),
    /// Answer in the homeserver's place.
    Answer(Reply),
    /// The homeserver acts; something before it answers in its place.
    AnswerOver(Reply),
    /// These bytes in place of an answer, and the end: what does not speak HTTP.
    Raw(&'static [u8]),
    /// Take the request and never answer.
    Hang,
    /// Hand the request on, and then once more under another transaction id.
    Twice,
    /// Answer with the id of an event that does not exist, and hand the request on behind the
    /// back of the caller once the homeserver has answered the next sending.
    AfterNext,
}

impl Action {
    /// Whether the homeserver acts, and the caller gets something else than its whole answer.
    fn spoils_the_answer(&self) -> bool {
        matches!(
            self,
            Self::CutResponse { .. }
                | Self::Reset
                | Self::NeverEnd { .. }
                | Self::WrongLength(_)
                | Self::AnswerOver(_)
        )
    }
}

/// What [`Action::AfterNext`] answers.
pub const NO_EVENT: &str = r#"{"event_id":"$the-proxy-made-this-up"}"#;

/// An answer the homeserver did not give.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
    content_type: &'static str,
    /// In seconds, as a header.
    retry_after: Option<u64>,
}

impl Reply {
    /// JSON, right or wrong.
    pub fn json(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self { status, body, content_type: "application/json", retry_after: None }
    }

    /// A page for people, as proxies and load balancers write them.
    pub fn html(status: u16) -> Self {
        let body = format!("<html><head><title>{status}</title></head><body>Sorry!</body></html>");
        Self { status, body, content_type: "text/html", retry_after: None }
    }

    /// The same with `Retry-After: SECONDS`.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let wait = self.retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
        let head = format!("Content-Type: {}\r\n{}", self.content_type, wait.unwrap_or_default());
        wire::reply(self.status, &head, &self.body)
    }

    /// 429, with the wait in the body when one is given.
    pub fn too_many_requests(retry_after_ms: Option<u64>) -> Self {
        let mut body = serde_json::json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "slow down" });
        if let Some(wait_ms) = retry_after_ms {
            body["retry_after_ms"] = wait_ms.into();
        }
        Self::json(429, &body.to_string())
    }

    /// A refusal in Matrix's form.
    pub fn error(status: u16, errcode: &str) -> Self {
        let body = serde_json::json!({ "errcode": errcode, "error": "said by the test's proxy" });
        Self::json(status, &body.to_string())
    }
}

/// Which requests an [`Action`] befalls. The first rule that matches decides.
#[derive(Clone, Debug)]
pub struct Rule {
    pattern: String,
    action: Action,
    skip: usize,
    times: Option<usize>,
    seen: usize,
}

impl Rule {
    /// `pattern` is a method or `*`, a space, and a path where `*` stands for anything:
    /// `PUT */send/m.room.message/*`. The query is looked at when the pattern has a `?`.
    pub fn new(pattern: &str, action: Action) -> Self {
        Self { pattern: pattern.to_owned(), action, skip: 0, times: None, seen: 0 }
    }

    /// Lets the first `count` matching requests pass.
    pub fn skip(self, count: usize) -> Self {
        Self { skip: count, ..self }
    }

    /// Befalls only `count` requests.
    pub fn times(self, count: usize) -> Self {
        Self { times: Some(count), ..self }
    }

    fn claims(&mut self, method: &str, target: &str) -> bool {
        if !matches(&self.pattern, method, target) {
            return false;
        }
        self.seen += 1;
        let nth = self.seen - 1;
        nth >= self.skip && self.times.is_none_or(|times| nth < self.skip + times)
    }
}

/// Names a rule that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    /// With its query.
    pub target: String,
    /// The rule that befell it.
    pub rule: Option<RuleId>,
    /// Its head was read.
    pub received: Instant,
    /// The homeserver has all of it.
    pub forwarded: Option<Instant>,
    /// The homeserver's answer, or ours, began.
    pub decided: Option<Instant>,
    /// The caller has all of the answer.
    pub answered: Option<Instant>,
    /// The caller hung up before it had the answer.
    pub abandoned: Option<Instant>,
    pub status: Option<u16>,
    /// It is being held until it is released.
    pub held: bool,
}

impl Exchange {
    /// Whether the homeserver had the request at that moment and the caller no answer yet.
    pub fn was_open_at(&self, moment: Instant) -> bool {
        self.forwarded.is_some_and(|at| at <= moment) && self.answered.is_none_or(|at| at > moment)
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }
}

#[derive(Default)]
struct State {
    next_rule: u64,
    rules: BTreeMap<RuleId, Rule>,
    released: BTreeSet<RuleId>,
    exchanges: Vec<Exchange>,
    /// How many of the first ones are no longer shown.
    forgotten: usize,
    /// Requests kept back by [`Action::AfterNext`].
    kept: Vec<Vec<u8>>,
    connections: Vec<AbortHandle>,
}

impl State {
    fn shown(&self) -> &[Exchange] {
        &self.exchanges[self.forgotten..]
    }
}

struct Shared {
    upstream: String,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// A running proxy and the handle to it; dropping it closes everything.
pub struct Proxy {
    base_url: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Listens on a free port of loopback and hands on to `upstream`, `http://HOST:PORT`.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            state: Mutex::default(),
            changed: watch::channel(0).0,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { base_url, shared, accepting }
    }

    /// What to give passerelle as the homeserver's address; without a final slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Adds a rule after those there are.
    pub fn set(&self, rule: Rule) -> RuleId {
        self.shared.change(|state| {
            let id = RuleId(state.next_rule);
            state.next_rule += 1;
            state.rules.insert(id, rule);
            id
        })
    }

    /// Lets go what the rule holds now and later; the rule itself stays without effect.
    pub fn release(&self, rule: RuleId) {
        self.shared.change(|state| {
            state.released.insert(rule);
        });
    }

    /// Takes all rules away and lets go what they hold.
    pub fn clear(&self) {
        self.shared.change(|state| {
            state.released.extend(state.rules.keys().copied());
            state.rules.clear();
        });
    }

    /// Closes every open connection at once, whatever it is in the middle of.
    pub fn cut_everything(&self) {
        for connection in self.shared.change(|state| std::mem::take(&mut state.connections)) {
            connection.abort();
        }
    }

    /// Everything that came through, in order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.lock().shown().to_vec()
    }

    /// How many requests match a pattern such as [`Rule::new`] takes.
    pub fn count(&self, pattern: &str) -> usize {
        let state = self.shared.lock();
        let matching = |one: &&Exchange| matches(pattern, &one.method, &one.target);
        state.shown().iter().filter(matching).count()
    }

    /// Leaves the exchanges so far out of what is shown and counted from now on.
    pub fn forget(&self) {
        self.shared.change(|state| state.forgotten = state.exchanges.len());
    }

    /// Waits until `found` sees what it looks for among the exchanges; panics after `patience`.
    pub async fn wait_for<T>(
        &self,
        patience: Duration,
        mut found: impl FnMut(&[Exchange]) -> Option<T>,
    ) -> T {
        let mut changes = self.shared.changed.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                if let Some(it) = found(self.shared.lock().shown()) {
                    return it;
                }
                changes.changed().await.expect("the proxy outlives the wait");
            }
        };
        let Ok(it) = tokio::time::timeout(patience, search).await else {
            panic!("not seen within {patience:?}; exchanges: {:#?}", self.exchanges())
        };
        it
    }

    /// Waits until the rule holds a request or an answer.
    pub async fn wait_until_held(&self, rule: RuleId, patience: Duration) -> Exchange {
        let held = |one: &&Exchange| one.rule == Some(rule) && one.held;
        self.wait_for(patience, |exchanges| exchanges.iter().find(held).cloned()).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut_everything();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let done = act(&mut self.lock());
        self.changed.send_modify(|version| *version += 1);
        done
    }

    fn note(&self, index: usize, write: impl FnOnce(&mut Exchange)) {
        self.change(|state| write(&mut state.exchanges[index]));
    }

    /// Notes a request and says which rule befalls it.
    fn receive(&self, head: &Head) -> (usize, Option<(RuleId, Action)>) {
        self.change(|state| {
            let mut active = state.rules.iter_mut().filter(|(id, _)| !state.released.contains(id));
            let befalls = active.find_map(|(id, rule)| {
                rule.claims(&head.method, &head.target).then(|| (*id, rule.action.clone()))
            });
            state.exchanges.push(Exchange {
                method: head.method.clone(),
                target: head.target.clone(),
                rule: befalls.as_ref().map(|(id, _)| *id),
                received: Instant::now(),
                forwarded: None,
                decided: None,
                answered: None,
                abandoned: None,
                status: None,
                held: false,
            });
            (state.exchanges.len() - 1, befalls)
        })
    }

    /// Has the homeserver act on a request that nobody waits for.
    async fn slip_in(&self, request: &[u8]) -> std::io::Result<()> {
        let mut upstream = Incoming::new(TcpStream::connect(&self.upstream).await?);
        upstream.write(request).await?;
        upstream.read_head().await.map(|_| ())
    }

    async fn until_released(&self, index: usize, rule: RuleId) {
        let mut changes = self.changed.subscribe();
        let _held = Held::new(self, index);
        while !self.lock().released.contains(&rule) {
            if changes.changed().await.is_err() {
                break;
            }
        }
    }
}

/// An exchange is held while this lives: until the release, or until the caller hangs up.
struct Held<'a> {
    shared: &'a Shared,
    index: usize,
}

impl<'a> Held<'a> {
    fn new(shared: &'a Shared, index: usize) -> Self {
        shared.note(index, |exchange| exchange.held = true);
        Self { shared, index }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.note(self.index, |exchange| exchange.held = false);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Small answers wait 40 ms otherwise.
        let _ = stream.set_nodelay(true);
        let task = tokio::spawn(serve(stream, Arc::clone(&shared)));
        shared.change(|state| {
            state.connections.retain(|connection| !connection.is_finished());
            state.connections.push(task.abort_handle());
        });
    }
}

/// One caller's connection: request after request until either side is done.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut caller = Incoming::new(stream);
    while let Ok(Some(head)) = caller.read_head().await {
        let (index, befalls) = shared.receive(&head);
        match exchange(&shared, index, &mut caller, &head, befalls).await {
            Ok(After::Continue) => {}
            Ok(After::Close) => return,
            // The other side of the connection went away; that is an outcome, not a failure.
            Err(_) => {
                shared.note(index, |exchange| {
                    exchange.abandoned.get_or_insert_with(Instant::now);
                });
                return;
            }
        }
    }
}

enum After {
    Continue,
    Close,
}

async fn exchange(
    shared: &Shared,
    index: usize,
    caller: &mut Incoming,
    head: &Head,
    befalls: Option<(RuleId, Action)>,
) -> std::io::Result<After> {
    let (rule, action) = befalls.map_or((None, None), |(id, action)| (Some(id), Some(action)));
    let stay = async |caller: &mut Incoming, wait: Wait| -> std::io::Result<()> {
        let waiting = async {
            match wait {
                Wait::For(pause) => tokio::time::sleep(pause).await,
                Wait::Release(rule) => shared.until_released(index, rule).await,
                Wait::Forever => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waiting => Ok(()),
            gone = caller.hung_up() => Err(gone),
        }
    };

    let body = caller.read_body(head.request_framing()).await?;
    match (&action, rule) {
        (Some(Action::CutRequest), _) => return Ok(After::Close),
        (Some(Action::Hang), _) => stay(caller, Wait::Forever).await?,
        (Some(Action::DelayRequest(pause)), _) => stay(caller, Wait::For(*pause)).await?,
        (Some(Action::HoldRequest), Some(rule)) => stay(caller, Wait::Release(rule)).await?,
        (Some(Action::Answer(reply)), _) => {
            shared.note(index, |exchange| {
                exchange.decided = Some(Instant::now());
                exchange.status = Some(reply.status);
            });
            caller.write(&reply.bytes()).await?;
            shared.note(index, |exchange| exchange.answered = Some(Instant::now()));
            return Ok(After::Continue);
        }
        (Some(Action::Raw(bytes)), _) => {
            caller.write(bytes).await?;
            return Ok(After::Close);
        }
        (Some(Action::AfterNext), _) => {
            shared.change(|state| state.kept.push([head.bytes.as_slice(), &body].concat()));
            caller.write(&Reply::json(200, NO_EVENT).bytes()).await?;
            shared.note(index, |exchange| exchange.answered = Some(Instant::now()));
            return Ok(After::Continue);
        }
        _ => {}
    }

    let Ok(stream) = TcpStream::connect(&shared.upstream).await else { return Ok(After::Close) };
    stream.set_nodelay(true)?;
    let mut upstream = Incoming::new(stream);
    upstream.write(&head.bytes).await?;
    upstream.write(&body).await?;
    shared.note(index, |exchange| exchange.forwarded = Some(Instant::now()));
    let answer = tokio::select! {
        answer = upstream.read_head() => answer,
        gone = caller.hung_up() => Err(gone),
    };
    // A homeserver that dies looks to the caller like one that dies.
    let Some(answer) = answer? else { return Ok(After::Close) };
    shared.note(index, |exchange| {
        exchange.decided = Some(Instant::now());
        exchange.status = Some(answer.status());
    });
    let framing = answer.response_framing(&head.method);
    if matches!(action, Some(Action::Twice)) {
        shared.slip_in(&[&head.under_another_transaction(), body.as_slice()].concat()).await?;
    }
    if head.method == "PUT" && head.target.contains("/send/") {
        for kept in shared.change(|state| std::mem::take(&mut state.kept)) {
            shared.slip_in(&kept).await?;
        }
    }

    match (&action, rule) {
        (Some(Action::DelayResponse(pause)), _) => stay(caller, Wait::For(*pause)).await?,
        (Some(Action::HoldResponse), Some(rule)) => stay(caller, Wait::Release(rule)).await?,
        (Some(action), _) if action.spoils_the_answer() => {
            let body = upstream.read_body(framing).await?;
            return match spoil(action, &answer, &body, caller).await? {
                Spoilt::Ended(after) => Ok(after),
                Spoilt::Endless => {
                    stay(caller, Wait::Forever).await?;
                    Ok(After::Close)
                }
            };
        }
        _ => {}
    }
    let head = match &action {
        Some(Action::Redate(date)) => answer.with_date(date),
        _ => answer.bytes.clone(),
    };
    caller.write(&head).await?;
    upstream.copy_body(framing, caller).await?;
    shared.note(index, |exchange| exchange.answered = Some(Instant::now()));
    let ends = matches!(framing, wire::Framing::UntilClose) || answer.says_close();
    Ok(if ends { After::Close } else { After::Continue })
}

enum Spoilt {
    Ended(After),
    /// The caller is left waiting.
    Endless,
}

/// Gives the caller something else than the homeserver's whole answer.
async fn spoil(
    action: &Action,
    answer: &Head,
    body: &[u8],
    caller: &mut Incoming,
) -> std::io::Result<Spoilt> {
    match action {
        Action::CutResponse { after_bytes } => {
            if *after_bytes > 0 {
                caller.write(&answer.bytes).await?;
                caller.write(&body[..body.len().min(*after_bytes)]).await?;
            }
            Ok(Spoilt::Ended(After::Close))
        }
        Action::Reset => {
            caller.reset()?;
            Ok(Spoilt::Ended(After::Close))
        }
        Action::NeverEnd { after_bytes } => {
            caller.write(&answer.bytes).await?;
            caller.write(&body[..body.len().min(*after_bytes)]).await?;
            Ok(Spoilt::Endless)
        }
        Action::WrongLength(by) => {
            caller.write(&answer.with_length(body.len().saturating_add_signed(*by))).await?;
            caller.write(body).await?;
            // Nothing that followed on this connection could be told from the rest of this body.
            Ok(Spoilt::Endless)
        }
        Action::AnswerOver(reply) => {
            caller.write(&reply.bytes()).await?;
            Ok(Spoilt::Ended(After::Continue))
        }
        Action::DelayRequest(_)
        | Action::DelayResponse(_)
        | Action::HoldRequest
        | Action::HoldResponse
        | Action::CutRequest
        | Action::Answer(_)
        | Action::Raw(_)
        | Action::Hang
        | Action::Twice
        | Action::Redate(_)
        | Action::AfterNext => panic!("{action:?} leaves the answer as it is"),
    }
}

enum Wait {
    For(Duration),
    Release(RuleId),
    Forever,
}

/// A method or `*`, a space, and a path in which `*` stands for anything.
fn matches(pattern: &str, method: &str, target: &str) -> bool {
    let Some((wanted, glob)) = pattern.split_once(' ') else {
        panic!("{pattern:?} is not `METHOD PATH`")
    };
    let path = if glob.contains('?') { target } else { target.split('?').next().unwrap_or("") };
    (wanted == "*" || wanted == method) && glob_matches(glob, path)
}

fn glob_matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            rest.is_empty()
                || tail.char_indices().any(|(at, _)| glob_matches(rest, &tail[at..]))
                || glob_matches(rest, "")
        }),
    }
}
