//! Leases of jobs: which node runs what, with a fencing number that only grows.

use sea_orm::ActiveValue::Set;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::OnConflict;

use crate::clock::Time;

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The node that has it.
    pub holder: String,
    /// Grows each time that it is taken or renewed.
    pub fence: i64,
    /// Until when.
    pub until: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Makes every other transaction that takes a turn under this name wait until this one ends. For what must be done once on all nodes
/// together, such as making keys.
pub async fn in_turn(tx: &DatabaseTransaction, name: &str, now: Time) -> Result<(), DbErr> {
    let again = OnConflict::column(Column::Name)
        .value(Column::Fence, Expr::col((Entity, Column::Fence)).add(1))
        .to_owned();
    let row = ActiveModel {
        name: Set(name.to_owned()),
        holder: Set(String::new()),
        fence: Set(1),
        until: Set(now),
    };
    Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// Takes or renews a lease; `None` while another node has it.
pub async fn lease(
    db: &impl ConnectionTrait,
    name: &str,
    holder: &str,
    now: Time,
    until: Time,
) -> Result<Option<i64>, DbErr> {
    let free = Expr::col((Entity, Column::Until))
        .lte(now)
        .or(Expr::col((Entity, Column::Holder)).eq(holder));
    let conflict = OnConflict::column(Column::Name)
        .value(Column::Holder, Expr::value(holder))
        .value(Column::Fence, Expr::col((Entity, Column::Fence)).add(1))
        .value(Column::Until, Expr::value(until))
        .action_and_where(free)
        .to_owned();
    let row = ActiveModel {
        name: Set(name.to_owned()),
        holder: Set(holder.to_owned()),
        fence: Set(1),
        until: Set(until),
    };
    match Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
    {
        Ok(1) => {}
        Ok(_) | Err(DbErr::RecordNotInserted) => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Entity::find_by_id(name.to_owned())
        .one(db)
        .await?
        .filter(|job| job.holder == holder)
        .map(|job| job.fence))
}

/// Ends all leases of a node: others take the jobs at once.
pub async fn hand_back(db: &impl ConnectionTrait, holder: &str, now: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Until, Expr::value(now))
        .filter(Column::Holder.eq(holder))
        .exec(db)
        .await
        .map(|_| ())
}

/// Proves a lease inside a transaction: nobody else can take it before that ends. `false` when it has passed to another, or was
/// renewed since under another number.
pub async fn hold(tx: &DatabaseTransaction, name: &str, holder: &str, fence: i64) -> Result<bool, DbErr> {
    let held = Entity::update_many()
        .col_expr(Column::Fence, Expr::value(fence))
        .filter(Column::Name.eq(name))
        .filter(Column::Holder.eq(holder))
        .filter(Column::Fence.eq(fence))
        .exec(tx)
        .await?;
    Ok(held.rows_affected == 1)
}
