//! Rules: which script stands at which level for whom, and how its life goes.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};
use serde::{Deserialize, Serialize};

use super::Tx;
use crate::clock::Time;
use crate::id::RuleNo;
use crate::rules::{Kind, RuleVersion};

/// For whom a rule stands. The nearest wins: merchant, sub-category, category, platform.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For everybody.
    Platform,
    /// For the merchants of a category, or of a sub-category (`retail/department`).
    Category,
    /// For one merchant.
    Merchant,
}

impl Level {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Category => "category",
            Self::Merchant => "merchant",
        }
    }
}

/// How a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Written, and nothing more.
    Draft,
    /// It compiles, passes its own tests in time, and its codes collide with nobody's.
    Checked,
    /// It was run on past payments, and the differences are reported.
    Shadowed,
    /// Another person than the author has agreed.
    Approved,
    /// In force.
    Active,
    /// In force, and failing: whoever it stands for is refused until a person decides.
    Suspended,
    /// Replaced or withdrawn.
    Archived,
}

impl RuleState {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Checked => "checked",
            Self::Shadowed => "shadowed",
            Self::Approved => "approved",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel, Serialize)]
#[sea_orm(table_name = "rule")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule_no: RuleNo,
    /// What it decides.
    pub kind: Kind,
    /// At which level.
    pub level: Level,
    /// For whom there: a category, a merchant's number, or nothing for the platform.
    pub scope: String,
    /// The version of its script.
    pub version: RuleVersion,
    /// The script's own tests.
    pub tests: String,
    /// What it is for, in the author's words.
    pub note: String,
    /// How it stands.
    pub state: RuleState,
    /// Kind, level and scope while it is in force, nothing otherwise: unique.
    pub place: Option<String>,
    /// Whether the script wants the merchant's totals of the day.
    pub day_totals: bool,
    /// Who wrote it.
    pub author: String,
    /// Who agreed to it.
    pub approver: Option<String>,
    /// What the check found, as JSON.
    pub check_report: Option<String>,
    /// What the run on past payments found, as JSON.
    pub shadow_report: Option<String>,
    /// The rule that it took the place of.
    pub replaces: Option<RuleNo>,
    /// When it was written.
    pub created_at: Time,
    /// When it was put in force last.
    pub activated_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a rule down.
pub async fn insert(tx: &Tx, rule: Model) -> Result<(), DbErr> {
    Entity::insert(rule.into_active_model())
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// Writes a rule's new state down, where it still stands as it was seen.
pub async fn change(tx: &Tx, rule: &Model, seen: RuleState) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(rule.state))
        .col_expr(Column::Place, Expr::value(rule.place.clone()))
        .col_expr(Column::DayTotals, Expr::value(rule.day_totals))
        .col_expr(Column::Approver, Expr::value(rule.approver.clone()))
        .col_expr(Column::CheckReport, Expr::value(rule.check_report.clone()))
        .col_expr(Column::ShadowReport, Expr::value(rule.shadow_report.clone()))
        .col_expr(Column::Replaces, Expr::value(rule.replaces.clone()))
        .col_expr(Column::ActivatedAt, Expr::value(rule.activated_at))
        .col_expr(Column::EndedAt, Expr::value(rule.ended_at))
        .filter(Column::RuleNo.eq(rule.rule_no.clone()))
        .filter(Column::State.eq(seen))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// The rule of this number.
pub async fn find(db: &impl ConnectionTrait, rule_no: &RuleNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(rule_no.clone()).one(db).await
}

/// The rules in force at these places.
pub async fn at(db: &impl ConnectionTrait, places: Vec<String>) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Place.is_in(places)).all(db).await
}

/// All rules of a kind, level and scope, the newest first; each may be left open.
pub async fn list(
    db: &impl ConnectionTrait,
    kind: Option<Kind>,
    level: Option<Level>,
    scope: Option<&str>,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find();
    if let Some(kind) = kind {
        query = query.filter(Column::Kind.eq(kind));
    }
    if let Some(level) = level {
        query = query.filter(Column::Level.eq(level));
    }
    if let Some(scope) = scope {
        query = query.filter(Column::Scope.eq(scope));
    }
    query
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::RuleNo)
        .all(db)
        .await
}
