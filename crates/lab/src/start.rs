//! The server process of a lab, `mqaws __lab`: finds its addresses, assembles the services, serves, and leaves nothing.

use super::api::{ACCOUNT, Caller, Cloud, Identity, Site};
use super::autoscaling::Autoscaling;
use super::ec2::{self, Ec2};
use super::efs::{self, Efs};
use super::elbv2::Elb;
use super::faults::Faults;
use super::home::{self, HomeError, LabRecord, Software};
use super::hosts::Hosts;
use super::ids;
use super::instance::serve_guests;
use super::network::{self, Network, NetworkError, Peers};
use super::process::{self, LAB_MARK};
use super::reaper;
use super::server::{self, Injector, Kind, Routes, Rule};
use super::ssm::Ssm;
use super::timing::{self, Timing};
use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Region of the local cloud.
pub const REGION: &str = "eu-west-1";
/// Port of the API, and of the lock on a lab's addresses.
pub const PORT: u16 = 4566;
/// Second octets that labs use.
const OCTETS: std::ops::RangeInclusive<u8> = 77..=250;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("wrong arguments: {0}")]
    Arguments(String),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("no free addresses: port {PORT} is taken on 127.77.0.1 to 127.250.0.1")]
    NoAddresses,
    #[error("port {1} is taken on {0}")]
    Port(Ipv4Addr, u16, #[source] io::Error),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
}

/// What the server was asked for.
#[derive(Debug, Clone, PartialEq)]
struct Arguments {
    dir: PathBuf,
    id: String,
    timing: Timing,
    hosts: Hosts,
    port: u16,
    standin_defect: Option<String>,
    software: Vec<Software>,
    api_faults: f64,
    guests: Option<PathBuf>,
    until_stdin_closes: bool,
}

fn parse(args: Vec<OsString>) -> Result<Arguments, StartError> {
    let wrong = |text: String| StartError::Arguments(text);
    let mut parsed = Arguments {
        dir: PathBuf::new(),
        id: ids::uuid(),
        timing: Timing::Fast,
        hosts: Hosts::Process,
        port: PORT,
        standin_defect: None,
        software: Vec::new(),
        api_faults: 0.0,
        guests: None,
        until_stdin_closes: false,
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let name = arg.to_string_lossy().into_owned();
        if name == "--until-stdin-closes" {
            parsed.until_stdin_closes = true;
            continue;
        }
        let value = args.next().ok_or_else(|| wrong(format!("{name} requires a value")))?;
        let text = value.to_string_lossy().into_owned();
        let refused = || wrong(format!("{name} {text}"));
        match name.as_str() {
            "--dir" => parsed.dir = PathBuf::from(value),
            "--id" => parsed.id = text,
            "--timing" => parsed.timing = Timing::parse(&text).ok_or_else(refused)?,
            "--hosts" => parsed.hosts = Hosts::parse(&text).ok_or_else(refused)?,
            "--port" => parsed.port = text.parse().map_err(|_| refused())?,
            "--guests" => parsed.guests = Some(PathBuf::from(value)),
            "--standin-defect" => parsed.standin_defect = Some(text),
            "--software" => {
                let (inside, of) = text.split_once('=').ok_or_else(refused)?;
                let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
                if inside.is_empty() || !Path::new(inside).components().all(plain) {
                    return Err(refused());
                }
                parsed.software.push(Software {
                    inside: inside.into(),
                    of: of.into(),
                });
            }
            "--api-faults" => {
                let rate: f64 = text.parse().map_err(|_| refused())?;
                parsed.api_faults = Some(rate).filter(|r| (0.0..1.0).contains(r)).ok_or_else(refused)?;
            }
            _ => return Err(wrong(name)),
        }
    }
    if parsed.dir.as_os_str().is_empty() {
        return Err(wrong("--dir is missing".to_owned()));
    }
    if parsed.guests.is_some() && parsed.hosts != Hosts::Process {
        return Err(wrong("--guests and --hosts exclude each other".to_owned()));
    }
    Ok(parsed)
}

/// Entry point of `mqaws __lab`. Options: `--dir DIR --id ID --timing fast|aws --hosts process|namespace --port N
/// --standin-defect D --software INSIDE=DIR --api-faults RATE --guests PROGRAM --until-stdin-closes`.
pub fn server_main(args: Vec<OsString>) -> ExitCode {
    let outcome = parse(args).and_then(|arguments| {
        // Away from the terminal, so that Ctrl-C there reaches whoever started the lab, not the lab.
        let _ = rustix::process::setsid();
        log_to_stderr();
        // Only a process with one thread can do it.
        let entered = match arguments.hosts {
            Hosts::Namespace => network::user::enter(),
            Hosts::Process | Hosts::Guest => Ok(()),
        };
        reaper::adopt_orphans();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|e| StartError::Io("cannot start threads", e))?;
        let done = runtime.block_on(run(arguments, entered));
        runtime.shutdown_timeout(Duration::from_secs(1));
        done
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(|s| format!(": {s}"))
                .unwrap_or_default();
            let hint = match &error {
                StartError::Network(error) => Some(error.hint()),
                _ => None,
            };
            let hint = hint.map(|h| format!("hint: {h}\n")).unwrap_or_default();
            // Standard error is the lab's log; whoever started the lab shows its end.
            let _ = io::Write::write_all(&mut io::stderr(), format!("error: {error}{cause}\n{hint}").as_bytes());
            ExitCode::from(3)
        }
    }
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MQAWS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second initialisation in one process keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(io::stderr)
        .try_init();
}

async fn run(arguments: Arguments, entered: Result<(), NetworkError>) -> Result<(), StartError> {
    let (dir, id) = (arguments.dir.clone(), arguments.id.clone());
    let taken = home::make(&dir).and_then(|()| home::take(&dir, &id));
    let result = match (entered, taken) {
        (Ok(()), Ok(())) => serve(arguments).await,
        (Err(refused), Ok(())) => Err(refused.into()),
        // A user that a namespace does not know has no directory either.
        (Err(refused), Err(_)) => return Err(refused.into()),
        (Ok(()), Err(error)) => return Err(error.into()),
    };
    end(dir, id).await;
    result
}

/// Ends every process of the lab, then removes its directory.
async fn end(dir: PathBuf, id: String) {
    let ended = tokio::task::spawn_blocking(move || {
        let left = process::kill_marked(LAB_MARK, &id, Duration::from_secs(10));
        if left.is_empty() {
            home::remove(&dir).map_err(|e| e.to_string())
        } else {
            Err(format!("processes that do not exit: {left:?}"))
        }
    });
    if let Ok(Err(error)) = ended.await {
        tracing::error!(%error, "something is left; `mqaws lab down` tries again");
    }
}

/// Listeners on the first free addresses: one is the lock, the other the API; the same one on the usual port.
async fn listen(port: u16) -> Result<(u8, TcpListener, Option<TcpListener>), StartError> {
    for octet in OCTETS {
        let address = Ipv4Addr::new(127, octet, 0, 1);
        let Ok(lock) = TcpListener::bind((address, PORT)).await else {
            continue;
        };
        if port == PORT {
            return Ok((octet, lock, None));
        }
        let api = TcpListener::bind((address, port)).await;
        return Ok((octet, api.map_err(|e| StartError::Port(address, port, e))?, Some(lock)));
    }
    Err(StartError::NoAddresses)
}

/// The API once more, where instances in namespaces reach it.
async fn listen_inside(network: &Network, octet: u8, port: u16) -> Result<TcpListener, StartError> {
    let address = Ipv4Addr::new(127, octet, 0, 1);
    let listener = network.listen((address, port).into()).await;
    listener.map_err(|e| StartError::Port(address, port, e))
}

fn executable() -> Result<PathBuf, StartError> {
    match std::env::var_os("MQAWS_EXE") {
        Some(path) => Ok(PathBuf::from(path)),
        None => std::env::current_exe().map_err(|e| StartError::Io("cannot determine the path of the executable", e)),
    }
}

async fn serve(arguments: Arguments) -> Result<(), StartError> {
    let (octet, api, _lock) = listen(arguments.port).await?;
    let site = Site {
        id: arguments.id.clone(),
        octet,
        port: arguments.port,
        dir: arguments.dir.clone(),
        timing: arguments.timing,
        executable: executable()?,
        standin_defect: arguments.standin_defect.clone(),
        software: arguments.software.clone(),
        guests: arguments.guests.clone(),
    };
    let mut listeners = vec![(api, Peers::Machine)];
    let network = match arguments.hosts {
        Hosts::Namespace => {
            let network = Network::switch(octet).await?;
            let inside = listen_inside(&network, octet, arguments.port).await?;
            listeners.push((inside, network.peers()));
            network
        }
        Hosts::Process | Hosts::Guest => Network::Machine,
    };
    let cloud = Cloud::on(REGION, site, network);
    if arguments.guests.is_some() {
        serve_guests(&cloud.metadata, cloud.stopping())
            .await
            .map_err(|e| StartError::Io("cannot listen on 169.254.169.254:80", e))?;
    }
    let record = record(&arguments, &cloud);
    let ec2 = Ec2::new(REGION);
    let injector = Arc::new(shaky(arguments.api_faults)?);
    let routes = assemble(&cloud, &ec2, &injector).await?;
    let endpoint = tokio::spawn(server::serve(cloud.clone(), listeners, routes, injector));
    home::write_record(&record)?;
    tracing::info!(endpoint = %record.endpoint, id = %record.id, timing = record.timing.name(), "lab is ready");
    until_end(&cloud, arguments.until_stdin_closes).await?;
    tracing::info!("lab ends");
    cloud.shut_down();
    // Nobody restarts an agent once its host is cut; what remains is found by its mark.
    ec2.cut_all().await;
    match endpoint.await {
        Ok(Err(error)) => tracing::error!(%error, "the endpoint ended early"),
        _ => tracing::info!("the endpoint ended"),
    }
    Ok(())
}

fn record(arguments: &Arguments, cloud: &Cloud) -> LabRecord {
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let record = LabRecord {
        schema: "mqaws.lab/1".to_owned(),
        id: arguments.id.clone(),
        endpoint: cloud.site.endpoint(),
        region: cloud.region.clone(),
        account: ACCOUNT.to_owned(),
        access_key_id: format!("AKIA{}", ids::upper(16)),
        secret_access_key: ids::alphanumeric(40),
        pid,
        start_time: process::start_time(pid).unwrap_or_default(),
        timing: arguments.timing,
        hosts: cloud.hosts(),
        dir: arguments.dir.clone(),
        software: arguments.software.clone(),
    };
    cloud.know(
        &record.access_key_id,
        Identity {
            secret_access_key: record.secret_access_key.clone(),
            session_token: None,
            expires: None,
            caller: Caller::Admin,
        },
    );
    record
}

/// Enters every service and the lab's own calls.
async fn assemble(cloud: &Arc<Cloud>, ec2: &Arc<Ec2>, injector: &Arc<Injector>) -> Result<Routes, StartError> {
    cloud.add("ec2", ec2.clone());
    cloud.add("autoscaling", Autoscaling::start(cloud, ec2.clone()));
    cloud.add("ssm", Ssm::new(ec2.clone()));
    let elb = Elb::start(cloud);
    cloud.add("elasticloadbalancing", elb.clone());
    let efs = Efs::start(cloud)
        .await
        .map_err(|e| StartError::Io("cannot start the file systems", e))?;
    cloud.add("elasticfilesystem", efs.clone());
    server::add_services(cloud);
    let mut routes = Routes::default();
    efs::add_routes(&mut routes);
    ec2::add_routes(&mut routes, ec2);
    Faults::new(ec2.clone(), elb, efs, injector.clone()).add_routes(&mut routes);
    routes.on("GET", "/_mqaws/timing", |cloud, _| async move {
        Ok(timing::report(cloud.site.timing))
    });
    let of = ec2.clone();
    routes.on("GET", "/_mqaws/instances", move |_, _| {
        let instances = of.overview();
        async move { Ok(serde_json::json!({"instances": instances})) }
    });
    Ok(routes)
}

/// The documented fault switch: throttling and internal errors, half each.
fn shaky(rate: f64) -> Result<Injector, StartError> {
    let injector = Injector::default();
    // Seeds of their own: the same draws would let both rules hit the same calls.
    for (error, seed) in [(Kind::Throttling, 1), (Kind::InternalError, 2)] {
        let rule = Rule {
            service: None,
            action: None,
            error,
            rate: rate / 2.0,
            count: None,
            seed,
        };
        if rate > 0.0 {
            injector.add(rule).map_err(|e| StartError::Arguments(e.to_string()))?;
        }
    }
    Ok(injector)
}

async fn until_end(cloud: &Arc<Cloud>, until_stdin_closes: bool) -> Result<(), StartError> {
    let handler = |kind| signal(kind).map_err(|e| StartError::Io("cannot handle signals", e));
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut hangup = handler(SignalKind::hangup())?;
    tokio::select! {
        () = cloud.until_shut_down() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
        () = stdin_closed(), if until_stdin_closes => {}
    }
    Ok(())
}

/// Returns when the other end of standard input is gone: whoever started a private lab has ended.
async fn stdin_closed() {
    let (closed, wait) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait for a read of its own at its end.
    let reader = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 64];
        while matches!(io::Read::read(&mut io::stdin(), &mut buffer), Ok(1..)) {}
        let _ = closed.send(());
    });
    if reader.is_err() || wait.await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn arguments_are_read_and_refused() {
        let good = parse(words(
            "--dir /tmp/x --timing aws --hosts namespace --api-faults 0.3 --until-stdin-closes",
        ))
        .expect("good");
        assert_eq!(
            (good.timing, good.hosts, good.port, good.until_stdin_closes),
            (Timing::Aws, Hosts::Namespace, PORT, true)
        );
        for wrong in [
            "",
            "--dir",
            "--dir /x --timing slow",
            "--dir /x --hosts guest",
            "--dir /x --hosts namespace --guests /y",
            "--dir /x --api-faults 2",
            "--dir /x --port many",
            "--dir /x --unknown y",
        ] {
            assert!(matches!(parse(words(wrong)), Err(StartError::Arguments(_))), "{wrong}");
        }
    }
}
