//! The version of what the directory tells: every change of a merchant, a store, a key or a channel account raises it in its own
//! transaction.

use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;

/// The one row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "directory_version")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Grows with each change.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Raises it, inside the change that it tells of.
pub async fn raise(db: &sea_orm::DatabaseTransaction) -> Result<(), DbErr> {
    let raised = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .exec(db)
        .await?;
    if raised.rows_affected == 1 {
        Ok(())
    } else {
        Err(DbErr::RecordNotUpdated)
    }
}

/// The present version.
pub async fn present(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let version: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Version)
        .into_tuple()
        .one(db)
        .await?;
    version.ok_or_else(|| DbErr::RecordNotFound("directory_version".to_owned()))
}
