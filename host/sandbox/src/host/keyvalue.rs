//! `wasi:keyvalue`, in the two drafts that components import: `crate::keyvalue` with the
//! types of each.

use super::wasi;
use crate::keyvalue::{Bucket, Cas, Fault};
use crate::state::State;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiView;

impl State {
    fn table(&mut self) -> &mut ResourceTable {
        self.wasi.ctx().table
    }

    fn bucket(&mut self, bucket: &Resource<Bucket>) -> Result<&mut Bucket, Fault> {
        self.table().get_mut(bucket).map_err(Fault::other)
    }
}

/// What both drafts have: `$store` and `$batch` are the modules of their interfaces.
macro_rules! draft {
    ($store:path, $batch:path, $cursor:ty, $list_keys:ident) => {
        const _: () = {
            use $batch as batch;
            use $store as store;

            impl From<Fault> for store::Error {
                fn from(fault: Fault) -> store::Error {
                    match fault {
                        Fault::NoSuchStore => store::Error::NoSuchStore,
                        Fault::AccessDenied => store::Error::AccessDenied,
                        Fault::Other(why) => store::Error::Other(why),
                    }
                }
            }

            impl store::Host for State {
                async fn open(&mut self, name: String) -> Result<Resource<Bucket>, store::Error> {
                    let bucket = Bucket::open(&name)?;
                    Ok(self.table().push(bucket).map_err(Fault::other)?)
                }
            }

            impl store::HostBucket for State {
                async fn get(
                    &mut self,
                    bucket: Resource<Bucket>,
                    key: String,
                ) -> Result<Option<Vec<u8>>, store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_get(space, &key).await?)
                }

                async fn set(
                    &mut self,
                    bucket: Resource<Bucket>,
                    key: String,
                    value: Vec<u8>,
                ) -> Result<(), store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_set(space, &key, value).await?)
                }

                async fn delete(
                    &mut self,
                    bucket: Resource<Bucket>,
                    key: String,
                ) -> Result<(), store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_delete(space, &key).await?)
                }

                async fn exists(
                    &mut self,
                    bucket: Resource<Bucket>,
                    key: String,
                ) -> Result<bool, store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_get(space, &key).await?.is_some())
                }

                async fn list_keys(
                    &mut self,
                    bucket: Resource<Bucket>,
                    cursor: Option<$cursor>,
                ) -> Result<store::KeyResponse, store::Error> {
                    let (keys, cursor) = self.$list_keys(bucket, cursor).await?;
                    Ok(store::KeyResponse { keys, cursor })
                }

                async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
                    self.table().delete(bucket)?;
                    Ok(())
                }
            }

            impl batch::Host for State {
                async fn get_many(
                    &mut self,
                    bucket: Resource<Bucket>,
                    keys: Vec<String>,
                ) -> Result<Vec<Option<(String, Vec<u8>)>>, store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_get_many(space, keys).await?)
                }

                async fn set_many(
                    &mut self,
                    bucket: Resource<Bucket>,
                    entries: Vec<(String, Vec<u8>)>,
                ) -> Result<(), store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_set_many(space, entries).await?)
                }

                async fn delete_many(
                    &mut self,
                    bucket: Resource<Bucket>,
                    keys: Vec<String>,
                ) -> Result<(), store::Error> {
                    let space = self.bucket(&bucket)?.space();
                    Ok(self.kv_delete_many(space, keys).await?)
                }
            }
        };
    };
}

draft!(
    wasi::keyvalue0_2_0_draft::store,
    wasi::keyvalue0_2_0_draft::batch,
    u64,
    keys_by_number
);
draft!(
    wasi::keyvalue0_2_0_draft2::store,
    wasi::keyvalue0_2_0_draft2::batch,
    String,
    keys_by_name
);

impl State {
    /// A cursor says how many keys were given.
    async fn keys_by_number(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<(Vec<String>, Option<u64>), Fault> {
        let open = self.bucket(&bucket)?;
        let (space, after) = (open.space(), open.listed(cursor)?);
        let (keys, more) = self.kv_keys(space, after).await?;
        let given = cursor.unwrap_or(0) + keys.len() as u64;
        let last = keys.last().filter(|_| more).cloned();
        let cursor = self.bucket(&bucket)?.list_on(given, last);
        Ok((keys, cursor))
    }

    /// A cursor is the last key that was given.
    async fn keys_by_name(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), Fault> {
        let space = self.bucket(&bucket)?.space();
        let (keys, more) = self.kv_keys(space, cursor).await?;
        let cursor = keys.last().filter(|_| more).cloned();
        Ok((keys, cursor))
    }
}

mod draft1 {
    use super::super::wasi::keyvalue0_2_0_draft::{atomics, store};
    use super::{Bucket, Fault, Resource, State};

    impl atomics::Host for State {
        async fn increment(
            &mut self,
            bucket: Resource<Bucket>,
            key: String,
            delta: u64,
        ) -> Result<u64, store::Error> {
            let space = self.bucket(&bucket)?.space();
            let sum = match i64::try_from(delta) {
                Ok(by) => self.kv_add(space, &key, by).await?,
                Err(_) => return Err(Fault::other("more than 2^63 cannot be added").into()),
            };
            let negative = |_| Fault::other(format!("the sum {sum} is below zero"));
            Ok(u64::try_from(sum).map_err(negative)?)
        }
    }
}

mod draft2 {
    use super::super::wasi::keyvalue0_2_0_draft2::{atomics, store};
    use super::{Bucket, Cas, Fault, Resource, State};

    impl atomics::Host for State {
        async fn increment(
            &mut self,
            bucket: Resource<Bucket>,
            key: String,
            delta: i64,
        ) -> Result<i64, store::Error> {
            let space = self.bucket(&bucket)?.space();
            Ok(self.kv_add(space, &key, delta).await?)
        }

        async fn swap(
            &mut self,
            cas: Resource<Cas>,
            value: Vec<u8>,
        ) -> Result<(), atomics::CasError> {
            let failed = |fault: Fault| atomics::CasError::StoreError(fault.into());
            let cas = self.table().delete(cas);
            let cas = cas.map_err(|error| failed(Fault::other(error)))?;
            match self.kv_swap(cas, value).await.map_err(failed)? {
                Ok(()) => Ok(()),
                Err(now) => {
                    let now = self.table().push(now);
                    let now = now.map_err(|error| failed(Fault::other(error)))?;
                    Err(atomics::CasError::CasFailed(now))
                }
            }
        }
    }

    impl atomics::HostCas for State {
        async fn new(
            &mut self,
            bucket: Resource<Bucket>,
            key: String,
        ) -> Result<Resource<Cas>, store::Error> {
            let space = self.bucket(&bucket)?.space();
            let cas = self.kv_cas(space, key).await?;
            Ok(self.table().push(cas).map_err(Fault::other)?)
        }

        async fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, store::Error> {
            let cas = self.table().get(&cas).map_err(Fault::other)?;
            Ok(cas.value())
        }

        async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
            self.table().delete(cas)?;
            Ok(())
        }
    }
}
