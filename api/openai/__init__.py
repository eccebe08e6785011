"""OpenAI's audio API over the file jobs: what its clients send is translated, and the answer."""
