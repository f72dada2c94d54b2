//! The play: what happens between a rider, a till and the channels, played through over HTTP against a server and simulators
//! of its own. Every line says what was expected and what came.

mod closing;
mod consent;
mod purchase;
mod scene;
mod sheet;
mod stage;
mod table;
mod tally;
mod trouble;
mod undo;

pub use sheet::{Line, Sheet};
pub use stage::Ground;
pub use table::table;

use anyhow::Result;

use scene::{Scene, WAYS, Way};
use sheet::{Came, Stopped};
use stage::Stage;
use tally::{Tally, signed_yuan};

/// A play that came to its end: its lines, and what they come to in money.
pub struct Played {
    /// Every line.
    pub sheet: Sheet,
    /// What was moved, in words.
    pub money: String,
}

/// Plays everything. Each line is told as soon as it is there.
///
/// # Errors
/// When the stage cannot be set. What goes otherwise in the play is on the sheet and no error.
pub async fn play(ground: &Ground, tell: fn(&str)) -> Result<Played> {
    tell("setting the stage: simulators, server, keys, a merchant with two stores");
    let mut stage = Stage::set(ground).await?;
    tell(&format!("server    {}", stage.server.url()));
    tell(&format!("gateways  {}", stage.simulator.url()));
    tell("");
    let mut sheet = Sheet::new(tell);
    let mut tally = Tally::default();
    for way in &WAYS {
        channel(&stage, way, &mut sheet, &mut tally).await;
    }
    sheet.begin("the day");
    let ended = closing::play(&mut stage, &mut sheet, &tally).await;
    sheet.end_chapter("the day's end", ended).await;
    stage.strike().await;
    let money = format!(
        "{}; the channels hold {}",
        tally.whole(),
        signed_yuan(tally.whole().held())
    );
    Ok(Played { sheet, money })
}

/// All chapters of one channel. One that breaks off does not keep the others from being played.
async fn channel(stage: &Stage, way: &'static Way, sheet: &mut Sheet, tally: &mut Tally) {
    sheet.begin(way.channel);
    let opened = async { Ok(Came::words("ready").with(Scene::open(stage, way).await?)) };
    let Ok(mut scene) = sheet.play("App: listen to live events", "ready", opened).await else {
        return sheet.end_chapter(way.channel, Err(Stopped)).await;
    };
    let bought = buy(&mut scene, sheet, tally).await;
    sheet.end_chapter("sign, pay, refund", bought).await;
    let undone = undo::play(&mut scene, sheet, tally).await;
    sheet.end_chapter("reverse", undone).await;
    let lost = trouble::lost_answer(&mut scene, sheet, tally).await;
    sheet.end_chapter("an answer is lost", lost).await;
    let twice = trouble::two_tills(&scene, sheet, tally).await;
    sheet.end_chapter("two tills at once", twice).await;
    let limits = trouble::limits(&scene, sheet).await;
    sheet.end_chapter("limits", limits).await;
}

async fn buy(scene: &mut Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let code = consent::play(scene, sheet, purchase::PRICE).await?;
    let order = purchase::pay(scene, sheet, tally, &code).await?;
    purchase::refund(scene, sheet, tally, &order).await
}
