//! A real browser without a window, driven through its debugging pipe: what a page does when somebody uses it.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Lab, Missing, Running, find_program};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It ends with the test.
#[derive(Debug)]
pub struct Browser {
    running: Running,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What went wrong in the page: exceptions, and what its policy refused.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Starts Chromium.
    ///
    /// # Errors
    /// If it is not installed.
    ///
    /// # Panics
    /// If it is, and does not start.
    pub fn start(lab: &Lab) -> Result<Self, Missing> {
        let chromium = find_program("chromium")?;
        let (to, from) = (lab.path("to-browser"), lab.path("from-browser"));
        let made = Command::new("mkfifo").args([&to, &from]).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo makes pipes");
        // The browser reads commands from descriptor 3 and writes what happens to descriptor 4.
        let script = r#"exec "$0" "$@" 3<"$TO" 4>"$FROM""#;
        let mut data = std::ffi::OsString::from("--user-data-dir=");
        data.push(lab.path("browser"));
        let running = Running::spawn(
            Command::new("sh")
                .args(["-c", script])
                .arg(chromium)
                .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
                .args(["--window-size=1280,800", "--remote-debugging-pipe"])
                .arg(data)
                .arg("about:blank")
                .env("TO", &to)
                .env("FROM", &from),
        );
        // In the shell's order, since each end waits for the other.
        let commands = OpenOptions::new().write(true).open(&to).expect("a pipe");
        let output = BufReader::new(File::open(&from).expect("a pipe"));
        let (send, messages) = channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            running,
            commands,
            messages,
            session: None,
            last: 0,
            complaints: Vec::new(),
        };
        browser.attach();
        Ok(browser)
    }

    fn attach(&mut self) {
        let targets = self.call("Target.getTargets", json!({}));
        let page = targets["targetInfos"]
            .as_array()
            .and_then(|targets| targets.iter().find(|target| target["type"] == "page"))
            .expect("the browser has a page");
        let attached = self.call(
            "Target.attachToTarget",
            json!({ "targetId": page["targetId"], "flatten": true }),
        );
        self.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Opens a file and waits until its script says that it is ready.
    ///
    /// # Panics
    /// If it never does.
    pub fn open(&mut self, file: &Path) {
        self.call(
            "Page.navigate",
            json!({ "url": format!("file://{}", file.display()) }),
        );
        self.wait_for("document.documentElement?.dataset?.ready !== undefined");
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// If it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "returnByValue": true }),
        );
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The text of an expression in the page; empty for what is none.
    pub fn text(&mut self, expression: &str) -> String {
        self.evaluate(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression in the page is true.
    ///
    /// # Panics
    /// If it does not become true.
    pub fn wait_for(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.evaluate(expression) != json!(true) {
            let complaints = &self.complaints;
            assert!(Instant::now() < end, "never: {expression}; {complaints:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key that is named as in `KeyboardEvent.key`, with Shift or without.
    pub fn press(&mut self, key: &str, shift: bool) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": u8::from(shift) * 8,
            });
            if kind == "keyDown" && key.len() == 1 {
                event["text"] = json!(key);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Moves the pointer (`mouseMoved`), or presses or releases its button (`mousePressed`, `mouseReleased`).
    pub fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let buttons = u8::from(kind != "mouseReleased");
        self.call(
            "Input.dispatchMouseEvent",
            json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 }),
        );
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&command).expect("JSON of JSON");
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser listens");
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!(
                    "no answer to {method}: {error}; it said:\n{}",
                    self.running.stderr()
                )
            });
            if message["id"] == json!(self.last) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(message["params"].to_string()),
                Some("Log.entryAdded") if message["params"]["entry"]["level"] == "error" => {
                    self.complaints.push(message["params"]["entry"].to_string());
                }
                _ => {}
            }
        }
    }
}
