"""A model behind an address: a small server on loopback, started by the tests."""

import http.server
import json
import threading

import pytest
import torch

from course_lib.language_models.endpoint import KEY, Endpoint
from course_lib.language_models.opening import ModelError, open_model
from course_lib.learners.answering import Answering, match
from course_lib.learners.prompting import Prompting

SECRET = "sk-very-secret"


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({"data": [{"id": "small-one"}]} if self.server.how != "empty" else {"data": []})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization")))
        if self.server.how == "refuses":
            self.send_error(401, f"wrong key {SECRET}")
        elif self.server.how == "moves":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
        elif self.server.how == "no table":
            self.reply([1, 2])
        elif self.path.endswith("/chat/completions"):
            said = "It is GOOD, I think.\nNot bad."
            self.reply({"choices": [{"message": {"content": said}}]})
        elif body.get("echo"):
            self.reply({"choices": [{"logprobs": self.told(body["prompt"])}]})
        else:
            self.reply({"choices": [{"text": " good\nand more"}]})

    def told(self, prompt):
        """One token for each four letters, each of log probability minus its place."""
        if self.server.how == "no probabilities":
            return None
        starts = list(range(0, len(prompt), 4))
        return {"text_offset": starts, "token_logprobs": [None, *(-i for i in starts[1:])]}

    def reply(self, table):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(table).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.how, made.asked = "", []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


def test_it_goes_on_with_a_text_and_answers_a_turn(server, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    model = open_model(address(server))
    assert model.name == "small-one" and model.generate("the film is") == "good"
    path, body, key = server.asked[-1]
    assert path == "/v1/completions" and key == f"Bearer {SECRET}"
    assert body == {
        "model": "small-one", "max_tokens": 40, "temperature": 0, "prompt": "the film is"
    }  # fmt: skip
    talks = Endpoint(address(server), chat=True)
    assert talks.generate("good or bad?") == "It is GOOD, I think."
    assert SECRET not in json.dumps(vars(talks), default=str)


def test_labels_are_scored_from_the_token_in_which_they_begin(server):
    """"ab" + "cdef": the token "abcd" starts in the prompt and reaches into the label."""
    model = Endpoint(address(server))
    found = model.log_probs(["abcdab"], [["cd", "cdef"]])
    assert found.tolist() == [[-4.0, -4.0 - 8.0]]
    assert model.log_probs(["abcdab"], [["cdef"]], per_token=True).tolist() == [[-6.0]]


def test_written_answers_are_matched_and_those_without_a_label_are_counted(server):
    model = Endpoint(address(server), chat=True)
    learner = Answering(model, labels=["good", "not bad"], read=lambda row: "a film")
    x, y = torch.zeros(2, 1).long(), torch.tensor([0, 1])
    assert learner.predict(x, y, x).argmax(-1).tolist() == [0, 0]
    assert learner.unmatched == 0 and len(learner.said) == 2
    learner = Answering(model, labels=["fine", "awful"], read=lambda row: "a film")
    learner.predict(x, y, x)
    assert learner.unmatched == 1


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("Positive.", 0), ("it is very positive", 0), ("NEGATIVE, not positive", 1), ("", None),
        ("positively so", None), ("very negative", 2), ("Answer: very negative!", 2),
    ],
)  # fmt: skip
def test_a_label_is_found_as_a_whole_word(answer, wanted):
    assert match(answer, ["positive", "negative", "very negative"]) == wanted


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("refuses", "refuses: 401"), ("moves", "refuses: 302"), ("no table", "does not speak"),
        ("no probabilities", "let it write its answers"),
    ],
)  # fmt: skip
def test_what_a_server_may_do_wrong(server, monkeypatch, how, says):
    monkeypatch.setenv(KEY, SECRET)
    model = Endpoint(address(server))
    server.how = how
    learner = Prompting(model, labels=["good", "bad"], read=lambda row: "a film")
    with pytest.raises(ModelError, match=says) as raised:
        learner.predict(torch.zeros(0, 1).long(), torch.zeros(0).long(), torch.zeros(1, 1).long())
    assert SECRET not in str(raised.value)


def test_addresses_that_are_none(server):
    server.how = "empty"
    with pytest.raises(ModelError, match="lists no model"):
        Endpoint(address(server))
    with pytest.raises(ModelError, match="nobody answers"):
        Endpoint("http://127.0.0.1:9/v1")
    with pytest.raises(ModelError, match="is no address"):
        Endpoint("127.0.0.1:8080")
    with pytest.raises(ModelError, match="password"):
        Endpoint("http://me:secret@127.0.0.1/v1")
