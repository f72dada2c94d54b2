//! Who a user is: told by the channel alone.

use anyhow::Result;
use metropay_core::channel::Outcome;
use metropay_core::secret::Secret;

use super::property;
use crate::report::Findings;
use crate::stage::bench::Bench;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[property!(
    "identity.told",
    Now,
    ["I1"],
    "a user is who the channel says for a one-time code; a made-up code says nobody",
    told
)];

async fn told(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let Some(identity) = lane.channel.identity() else {
        found.skip("this account tells no identities");
        return Ok(());
    };
    let page = identity.page("https://pay.example.test/back?a=b", "state4711");
    found.must(page.contains("state4711"), || {
        format!("the page {page} loses the state")
    });
    let made_up = identity.user(&Secret::from("made-up-code-0815")).await;
    found.must(!matches!(made_up, Ok(Outcome::Done(_))), || format!("{made_up:?}"));
    let Some(code) = bench.gateway.identify(&page, &bench.user()).await? else {
        found.not_played("a user who agrees to be known".to_owned());
        return Ok(());
    };
    bench.meet(&code);
    let user = identity.user(&Secret::from(code)).await;
    let right = matches!(&user, Ok(Outcome::Done(user)) if !user.id.is_empty());
    found.must(right, || format!("{user:?}"));
    Ok(())
}
