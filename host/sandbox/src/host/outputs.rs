//! `wasmhost:task/outputs`: named streams that clients download.

use super::wasmhost::task::outputs;
use crate::state::State;

impl outputs::Host for State {
    async fn create(&mut self, name: String, content_type: String) -> Result<u32, String> {
        self.create_output(name, content_type).await
    }

    async fn write(&mut self, output: u32, data: Vec<u8>) -> Result<(), String> {
        self.write_output(output, &data).await
    }

    async fn flush(&mut self, output: u32) -> Result<(), String> {
        self.flush_output(output).await
    }

    async fn close(&mut self, output: u32) -> Result<(), String> {
        self.close_output(output).await
    }
}
