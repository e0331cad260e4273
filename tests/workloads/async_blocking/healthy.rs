//! What tasks should do: wait for timers and sockets without holding a worker, compute a little, and leave what blocks
//! to the blocking pool.

use std::{hint::black_box, io::Write as _, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{block_in_place, spawn_blocking},
};

/// How many clients the server has.
const CLIENTS: usize = 6;
/// How many threads block all the time.
const BLOCKING: usize = 4;

/// Starts a server and its clients, timers, a channel, and work for the blocking pool.
pub(crate) async fn start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    for client in 0..CLIENTS {
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.expect("the server is there");
            ask(stream, client).await;
        });
    }
    tokio::spawn(tick());
    tokio::spawn(channel());
    for number in 0..BLOCKING {
        tokio::spawn(async move { while spawn_blocking(move || allowed_to_block(number)).await.is_ok() {} });
    }
    let handle = tokio::runtime::Handle::current();
    if handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread {
        tokio::spawn(async {
            loop {
                block_in_place(|| allowed_to_block(BLOCKING));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
}

/// Answers every request with what was asked, after a little work.
async fn serve(mut stream: TcpStream) {
    let mut request = [0; 64];
    while stream.read_exact(&mut request).await.is_ok() {
        let answer = little_work(&request);
        if stream.write_all(&answer).await.is_err() {
            break;
        }
    }
}

/// Asks as fast as it is answered, in bursts.
async fn ask(mut stream: TcpStream, client: usize) {
    let mut answer = [0; 64];
    loop {
        for _ in 0..200 {
            stream.write_all(&[client as u8; 64]).await.expect("it is open");
            stream.read_exact(&mut answer).await.expect("it is open");
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Some 20 µs.
#[inline(never)]
fn little_work(request: &[u8; 64]) -> [u8; 64] {
    let mut answer = *request;
    for round in 0..400u32 {
        for byte in &mut answer {
            *byte = black_box(byte.wrapping_mul(31).wrapping_add(round as u8));
        }
    }
    answer
}

async fn tick() {
    let mut interval = tokio::time::interval(Duration::from_millis(1));
    loop {
        interval.tick().await;
    }
}

async fn channel() {
    let (sender, mut receiver) = mpsc::channel::<u64>(16);
    tokio::spawn(async move {
        loop {
            for number in 0..100 {
                sender.send(number).await.expect("it is received");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    while let Some(number) = receiver.recv().await {
        black_box(number);
    }
}

/// Sleeps, and writes a file to the disk.
#[inline(never)]
fn allowed_to_block(number: usize) {
    std::thread::sleep(Duration::from_millis(5));
    let path = std::env::temp_dir().join(format!("async_blocking-{}-{number}", std::process::id()));
    let mut file = std::fs::File::create(&path).expect("a temporary file");
    // At once: nothing is left behind, however the program ends.
    std::fs::remove_file(&path).expect("it is there");
    file.write_all(&[number as u8; 4096]).expect("room for it");
    file.sync_data().expect("it is a file");
}
