//! The play: what happens between a rider, a till and the channels, played through over HTTP against a server and simulators
//! of its own. Every line says what was expected and what came.

mod closing;
mod consent;
mod foreign;
mod members;
mod purchase;
mod rules;
mod scene;
mod sheet;
mod stage;
mod table;
mod tally;
mod trouble;
mod undo;

pub use sheet::{Line, Sheet};
pub use stage::{Abroad, Ground};
pub use table::table;

use anyhow::Result;

use scene::{Scene, WAYS, Way};
use sheet::{Came, Stopped};
use stage::Stage;
use tally::{Tally, signed_yuan};

/// A play that came to its end.
pub struct Played {
    /// Every line.
    pub sheet: Sheet,
    /// What was moved in all, in words.
    pub money: String,
}

/// Plays everything. Each line is told as soon as it is there.
///
/// # Errors
/// When the stage cannot be set. What goes otherwise in the play is on the sheet and no error.
pub async fn play(ground: &Ground, tell: fn(&str)) -> Result<Played> {
    tell("setting the stage: simulators, server, keys, a merchant with two stores");
    Ok(play_on(Stage::set(ground).await?, tell).await)
}

/// Plays everything against a set-up that runs elsewhere.
///
/// # Errors
/// As [`play`].
pub async fn play_against(abroad: &Abroad, tell: fn(&str)) -> Result<Played> {
    tell("seeding: keys, a merchant with two stores, accounts with the gateways");
    Ok(play_on(Stage::join(abroad).await?, tell).await)
}

/// Plays everything on a stage that is set.
async fn play_on(mut stage: Stage, tell: fn(&str)) -> Played {
    tell(&format!("server    {}", stage.credentials.base_url));
    tell(&format!("gateways  {}\n", stage.credentials.simulator_url));
    let mut sheet = Sheet::new(tell);
    let mut tally = Tally::default();
    for way in &WAYS {
        channel(&stage, way, &mut sheet, &mut tally).await;
    }
    sheet.begin("the day");
    let ended = closing::play(&mut stage, &mut sheet, &tally).await;
    sheet.end(ended).await;
    sheet.begin("rules");
    let ended = rules::play(&stage, &mut sheet).await;
    sheet.end(ended).await;
    sheet.begin("members");
    let ended = members::play(&stage, &mut sheet).await;
    sheet.end(ended).await;
    stage.strike().await;
    let whole = tally.whole();
    let (paid, reversed, refunded) = (whole.paid, whole.reversed, whole.refunded);
    let held = signed_yuan(whole.held());
    let money = format!("paid {paid}, reversed {reversed}, refunded {refunded}, left with the channels {held} yuan");
    Played { sheet, money }
}

/// All stories of one channel. One that breaks off does not keep the others from being played.
async fn channel(stage: &Stage, way: &'static Way, sheet: &mut Sheet, tally: &mut Tally) {
    sheet.begin(way.channel);
    sheet.chapter("sign");
    let opened = async { Ok(Came::words("ready").with(Scene::open(stage, way).await?)) };
    let Ok(mut scene) = sheet.play("App: listen to live events", "ready", opened).await else {
        return sheet.end(Err(Stopped)).await;
    };
    let bought = buy(&mut scene, sheet, tally).await;
    sheet.end(bought).await;
    sheet.chapter("reverse");
    let undone = undo::play(&mut scene, sheet, tally).await;
    sheet.end(undone).await;
    sheet.chapter("an answer is lost");
    let lost = trouble::lost_answer(&mut scene, sheet, tally).await;
    sheet.end(lost).await;
    sheet.chapter("two tills at once");
    let twice = trouble::two_tills(&scene, sheet, tally).await;
    sheet.end(twice).await;
    sheet.chapter("codes of the channel's App");
    let foreign = foreign::play(&scene, sheet, tally).await;
    sheet.end(foreign).await;
    sheet.chapter("limits");
    let limits = trouble::limits(&scene, sheet).await;
    sheet.end(limits).await;
}

async fn buy(scene: &mut Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let code = consent::play(scene, sheet, purchase::PRICE).await?;
    sheet.chapter("pay");
    let order = purchase::pay(scene, sheet, tally, &code).await?;
    sheet.chapter("refund");
    purchase::refund(scene, sheet, tally, &order).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed(played: &Played) -> Vec<&Line> {
        played.sheet.lines().iter().filter(|line| !line.is_ok()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_play_goes_as_told_and_leaves_nothing_behind() {
        let ground = Ground::temporary().unwrap();
        let played = play(&ground, |_| {}).await.unwrap();
        assert_eq!(played.sheet.failed(), 0, "{:#?}", failed(&played));
        for part in ["wechat", "alipay", "unionpay", "the day"] {
            let lines = played.sheet.lines().iter().filter(|line| line.part == part);
            assert!(lines.count() > 15, "{part} was played");
        }
        let rules = played.sheet.lines().iter().filter(|line| line.part == "rules");
        assert!(rules.count() > 10, "the rules were played");
        let members = played.sheet.lines().iter().filter(|line| line.part == "members");
        assert!(members.count() > 7, "members and notices were played");
        let path = ground.path().to_path_buf();
        drop(ground);
        assert!(!path.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_gateway_that_refuses_fails_its_own_lines_and_no_others() {
        let ground = Ground::temporary().unwrap();
        let stage = Stage::set(&ground).await.unwrap();
        let refuses = json!({
            "gateway": "wechat", "operation": "refund", "effect": "refuse", "code": "TRADE_OVERDUE", "times": 0
        });
        stage.control.fault(&refuses).await.unwrap();
        let played = play_on(stage, |_| {}).await;
        let failed = failed(&played);
        assert!(failed.len() > 1, "{failed:#?}");
        assert!(failed.iter().all(|line| line.part == "wechat"), "{failed:#?}");
        assert!(failed.iter().any(|line| line.what.starts_with("till: refund a part")));
    }
}
