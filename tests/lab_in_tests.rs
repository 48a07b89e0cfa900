//! A test of a client and a server over a link of their own; docs/labs-in-tests.md tells about it.
#![allow(clippy::unwrap_used)]

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use nsnet::lab::{Lab, Running};

/// The program under test: says hello to everybody by the address that they come from.
fn serve(listener: &TcpListener, guests: usize) -> io::Result<()> {
    for _ in 0..guests {
        let (mut guest, from) = listener.accept()?;
        writeln!(guest, "hello {}", from.ip())?;
    }
    Ok(())
}

fn greeting(server: &str) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(TcpStream::connect(server)?).read_line(&mut line)?;
    Ok(line)
}

/// Each test has a lab with a name of its own, because tests run at the same time.
fn lab(name: &str) -> Lab {
    let text = r#"
        name = "NAME"
        [nodes.server]
        [nodes."client[1-2]"]
        [networks.lan]
        subnet = ["192.0.2.0/24", "2001:db8::/64"]
        members = ["server", "client[1-2]"]
    "#;
    Lab::read(&text.replace("NAME", name)).expect("the lab has no problems")
}

#[test]
fn the_server_knows_who_comes() {
    let net = Running::up(&lab("greet")).unwrap();
    let listener = net.run("server", || TcpListener::bind("[::]:7000")).unwrap().unwrap();
    let server = thread::spawn(move || serve(&listener, 3));

    let say = |client, to: &str| net.run(client, || greeting(to)).unwrap().unwrap();
    assert_eq!(say("client1", "[2001:db8::1]:7000"), "hello 2001:db8::2\n");
    assert_eq!(say("client2", "[2001:db8::1]:7000"), "hello 2001:db8::3\n");
    assert_eq!(say("client2", "192.0.2.1:7000"), "hello ::ffff:192.0.2.3\n");
    server.join().unwrap().unwrap();
} // Here the lab goes down, as it does where an assertion fails.

#[test]
fn nobody_is_greeted_where_nobody_listens() {
    let net = Running::up(&lab("silent")).unwrap();
    let answer = net.run("client1", || greeting("192.0.2.1:7000")).unwrap();
    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}
