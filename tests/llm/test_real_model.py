"""A real, randomly initialised language model behind the OpenAI protocol: it never makes sense, and nothing breaks."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fisc.economist import Simulation, SimulationConfig

pytestmark = pytest.mark.slow

for needed in ("openai", "transformers", "tokenizers", "torch"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a Llama of some 200 thousand random parameters, with a tokenizer trained on this repository."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    texts = [file.read_text() for file in sorted(Path(__file__).parent.glob("*.py"))]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small_server(tiny: Path) -> Iterator[str]:
    """Serve the model with nothing but the standard library around `generate`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForCausalLM.from_pretrained(tiny).eval()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
            ids = tokenizer(text, return_tensors="pt").input_ids
            with lock, torch.inference_mode():
                out = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=body["max_tokens"],
                    do_sample=False,
                )
            new = out[0, ids.shape[1] :]
            answer = json.dumps(
                {
                    "id": "tiny",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [
                        {
                            "index": 0,
                            "finish_reason": "length",
                            "message": {"role": "assistant", "content": tokenizer.decode(new)},
                        }
                    ],
                    "usage": {
                        "prompt_tokens": ids.shape[1],
                        "completion_tokens": len(new),
                        "total_tokens": ids.shape[1] + len(new),
                    },
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def transformers_serve(tiny: Path) -> Iterator[str]:
    """Serve the model by ``transformers serve``."""
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {' and '.join(missing)}: pip install 'transformers[serving]'")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    options = ["serve", str(tiny), "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    process = subprocess.Popen([command, *options], env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240.0
        while True:
            assert process.poll() is None, "transformers serve did not start"
            assert time.monotonic() < deadline, "transformers serve is not ready after four minutes"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(1.0)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("server", ["small_server", "transformers_serve"])
def test_a_hundred_workers_and_ten_steps_with_a_model_that_talks_nonsense(
    server: str, tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    model = {
        "name": str(tiny),
        "base_url": url,
        "timeout": 300.0,
        "batch": 25,
        "reasks": 1,
        "max_tokens": 64,
        "concurrency": 4,
        "cache": str(tmp_path / "answers.sqlite"),
    }
    config = SimulationConfig(
        n=100,
        years=5,
        steps_per_year=2,
        planner="language",
        workers="language",
        population="acs",
        model=model,
    )
    first = Simulation(config).run()
    assert first.status == "done"
    ledger = first.ledger
    assert ledger is not None
    assert ledger["requests"] >= 2 * 4 * 2
    assert ledger["fallbacks"] >= 100  # random weights write no JSON
    assert ledger["reasked"] > 0
    assert ledger["estimated"] == 0
    second = Simulation(config).run()
    assert second.ledger is not None
    assert second.ledger["requests"] == 0
    assert second.state_fingerprint() == first.state_fingerprint()
