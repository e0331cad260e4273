//! Servers from the distribution and their load generators: on loopback, on a port and in a directory of their own,
//! stopped when dropped.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{Lab, Missing, Running, find_program};

/// A server under load.
#[derive(Debug)]
pub struct Server {
    /// The command name of the processes that do its work.
    pub command: &'static str,
    server: Running,
    _load: Option<Running>,
}

impl Server {
    /// The process id of its first process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

impl Server {
    /// A workload that runs for ten minutes, as if it were a server.
    pub fn program(command: &'static str, path: &Path) -> Self {
        Self {
            command,
            server: Running::spawn(Command::new(path).arg("600")),
            _load: None,
        }
    }
}

impl Lab {
    /// redis-server under redis-benchmark: small reads, writes, lists and sorted sets, in pipelines that keep it busy.
    ///
    /// # Errors
    /// If either is not installed.
    pub fn redis(&self) -> Result<Server, Missing> {
        let (server, load) = (find_program("redis-server")?, find_program("redis-benchmark")?);
        let port = free_port();
        let server = Running::spawn(
            Command::new(server)
                .args([
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    &port.to_string(),
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                ])
                .arg("--dir")
                .arg(self.directory()),
        );
        await_port(port, &server);
        let load = Running::spawn(
            Command::new(load)
                .args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port.to_string(),
                    "-l",
                    "-q",
                    "-c",
                    "50",
                    "-P",
                    "16",
                    "-r",
                    "10000",
                    "-n",
                    "400000",
                ])
                .args(["-t", "set,get,lpush,lrange_100,zadd,hset"]),
        );
        Ok(serving("redis-server", server, load))
    }

    /// nginx with one worker under wrk or ab: a small file over kept connections.
    ///
    /// # Errors
    /// If nginx or both load generators are not installed.
    pub fn nginx(&self) -> Result<Server, Missing> {
        let server = find_program("nginx")?;
        let port = free_port();
        let directory = self.directory().display();
        fs::write(self.path("index.html"), "<p>a small file</p>\n".repeat(50))
            .expect("the directory is ours");
        // root, because the worker has to read the test's directory.
        let configuration = format!(
            "user root; daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; gzip on; gzip_min_length 1; gzip_types *;\n\
               client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n\
               fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;\n\
               scgi_temp_path {directory}/scgi;\n\
               server {{ listen 127.0.0.1:{port}; root {directory}; }} }}\n"
        );
        let path = self.path("nginx.conf");
        fs::write(&path, configuration).expect("the directory is ours");
        let url = format!("http://127.0.0.1:{port}/index.html");
        let mut load = match (find_program("wrk"), find_program("ab")) {
            (Ok(wrk), _) => {
                let mut command = Command::new(wrk);
                command.args(["-t1", "-c16", "-d600s", "-H", "Accept-Encoding: gzip", &url]);
                command
            }
            (_, Ok(ab)) => {
                let mut command = Command::new(ab);
                command.args(["-q", "-k", "-c", "16", "-t", "600", "-n", "100000000", &url]);
                command.args(["-H", "Accept-Encoding: gzip"]);
                command
            }
            _ => return Err(Missing("neither wrk nor ab is installed".into())),
        };
        let server = Running::spawn(
            Command::new(server)
                .arg("-c")
                .arg(&path)
                .arg("-e")
                .arg(self.path("error.log")),
        )
        .stopped_by(libc::SIGTERM);
        await_port(port, &server);
        Ok(serving("nginx", server, Running::spawn(&mut load)))
    }

    /// postgres under pgbench: its standard transactions, without waiting for the disk.
    ///
    /// # Errors
    /// If the server, pgbench or the user `postgres` is not there.
    pub fn postgres(&self) -> Result<Server, Missing> {
        let [initdb, postgres, pgbench] = ["initdb", "postgres", "pgbench"].map(find_program);
        let (initdb, postgres, pgbench) = (real(initdb?), real(postgres?), real(pgbench?));
        let (uid, gid) = user("postgres").ok_or_else(|| Missing("there is no user postgres".into()))?;
        let directory = self.path("postgres");
        fs::create_dir(&directory).expect("the directory is ours");
        chown(&directory, Some(uid), Some(gid)).expect("root may give a directory away");
        let data = directory.join("data");
        let port = free_port();
        // The server refuses to run as root.
        let as_postgres = |program: &Path| {
            let mut command = Command::new(program);
            std::os::unix::process::CommandExt::uid(&mut command, uid);
            std::os::unix::process::CommandExt::gid(&mut command, gid);
            command.current_dir(&directory).env("HOME", &directory);
            command
        };
        Running::spawn(
            as_postgres(&initdb)
                .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
                .arg(&data),
        )
        .wait(Duration::from_secs(60))
        .success();
        let server = Running::spawn(
            as_postgres(&postgres)
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(&directory)
                .args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port.to_string(),
                    "-c",
                    "fsync=off",
                    "-c",
                    "jit=off",
                ]),
        )
        .stopped_by(libc::SIGQUIT);
        await_port(port, &server);
        let bench = |arguments: &[&str]| {
            let mut command = as_postgres(&pgbench);
            command
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"])
                .args(arguments);
            command.arg("postgres");
            command
        };
        // The server listens a moment before it takes connections.
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let ended = Running::spawn(&mut bench(&["-i", "-q", "-s", "5"])).wait(Duration::from_secs(120));
            if ended.status.success() {
                break;
            }
            assert!(
                Instant::now() < end,
                "pgbench cannot prepare its tables:\n{}",
                ended.stderr
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        let load = Running::spawn(&mut bench(&["-c", "4", "-j", "1", "-T", "600"]));
        Ok(serving("postgres", server, load))
    }

    /// Debian's python3 at work on the standard library.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn python(&self) -> Result<Server, Missing> {
        let python = Path::new("/usr/bin/python3");
        if !python.is_file() {
            return Err(Missing("/usr/bin/python3 is not installed".into()));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/script.py");
        Ok(Server {
            command: "python3",
            server: Running::spawn(Command::new(python).arg(script).arg("600")),
            _load: None,
        })
    }
}

/// Lets the load run for a moment, so that nobody records the start.
fn serving(command: &'static str, server: Running, load: Running) -> Server {
    std::thread::sleep(Duration::from_millis(500));
    Server {
        command,
        server,
        _load: Some(load),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn await_port(port: u16, server: &Running) {
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(
            Instant::now() < end,
            "the server does not listen; it said:\n{}",
            server.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Debian's `pgbench` is a wrapper script: the program itself lies beside `postgres`.
fn real(path: PathBuf) -> PathBuf {
    let name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin").join(&name))
        .find(|candidate| candidate.is_file())
        .unwrap_or(path)
}

/// The ids of a user, from `/etc/passwd`.
fn user(name: &str) -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let fields: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}
