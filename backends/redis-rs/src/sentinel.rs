//! Where the primary is that sentinels watch.

use futures::{FutureExt, future::select_ok};
use larder_redis_common::{Host, Topology};
use redis::Value;

use crate::connect::{Connector, Made, Setback, hello, said, senseless, text};

/// Asks all sentinels at once and goes by the first who knows: one that hangs costs nothing.
pub(crate) async fn primary(connector: &Connector) -> Result<Host, Setback> {
    let Topology::Sentinel {
        hosts,
        service,
        user,
        password,
    } = &connector.settings.topology
    else {
        return Err(Setback::finally("it has no sentinels"));
    };
    let ask = redis::cmd("SENTINEL")
        .arg("get-master-addr-by-name")
        .arg(service)
        .take();
    let mut talk = vec![ask];
    if let Some(password) = password {
        talk.insert(0, hello(false, user.as_deref(), Some(password)));
    }
    let talk = &talk;
    let asked = hosts.iter().map(|sentinel| {
        async move {
            let (_, mut answers) = said(connector.open(sentinel).await?, talk).await?;
            let answer = answers.pop().unwrap_or(Value::Nil);
            match &answer {
                Value::Array(parts) => address(parts).ok_or_else(|| senseless("a sentinel", &answer)),
                _ => Err(Setback::finally(format!(
                    "the sentinels know no primary named {service:?}"
                ))),
            }
        }
        .boxed()
    });
    let (host, _) = select_ok(asked).await?;
    Ok(host)
}

fn address(parts: &[Value]) -> Option<Host> {
    let [name, port] = parts else { return None };
    Some(Host::new(text(name)?, text(port)?.parse().ok()?))
}

/// Turns a connection away whose server is a replica by now: the sentinel that named it did not know yet.
pub(crate) async fn check_role(made: Made) -> Result<Made, Setback> {
    let (made, answers) = said(made, &[redis::cmd("ROLE")]).await?;
    let role = match answers.first() {
        Some(Value::Array(parts)) => parts.first().and_then(text),
        _ => None,
    };
    if role == Some("master") {
        Ok(made)
    } else {
        Err(Setback::new("the server that the sentinels name is no primary"))
    }
}
