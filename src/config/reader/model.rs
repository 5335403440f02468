//! Which language model is asked, if any.

use super::Reader;
use crate::config::ModelSettings;

impl Reader {
    pub(in crate::config) fn model(&mut self) -> Option<ModelSettings> {
        let azure_deployment = self
            .text("AZURE_OPENAI_DEPLOYMENT")
            .or_else(|| self.text("AZURE_OPENAI_DEPLOYMENT_NAME"));
        self.known.insert("AZURE_OPENAI_DEPLOYMENT_NAME");
        let api_version = self.text_or("AZURE_OPENAI_API_VERSION", "2024-10-21");
        let azure_key = self.secret("AZURE_OPENAI_API_KEY");
        let azure_endpoint = self.text("AZURE_OPENAI_ENDPOINT");
        let model = self.text("OPENAI_MODEL");
        let api_key = self.secret("OPENAI_API_KEY").unwrap_or_default();
        if self.text("OPENAI_BASE_URL").is_some() {
            let base_url = self.service_url("OPENAI_BASE_URL", "https://localhost/v1");
            let Some(model) = model else {
                self.problem("OPENAI_MODEL is required with OPENAI_BASE_URL");
                return None;
            };
            return Some(ModelSettings::OpenAi {
                base_url,
                api_key,
                model,
            });
        }
        let (Some(_), Some(api_key)) = (azure_endpoint, azure_key) else {
            return None;
        };
        let endpoint = self.service_url("AZURE_OPENAI_ENDPOINT", "https://localhost");
        let deployment = azure_deployment.unwrap_or_else(|| "gpt-4".to_owned());
        Some(ModelSettings::Azure {
            endpoint,
            api_key,
            deployment,
            api_version,
        })
    }
}
