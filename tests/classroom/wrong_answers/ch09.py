"""Plausible wrong answers to the exercises of chapter 09, written from statement and stub alone."""

HASH = "zlib.crc32(w.encode()) % buckets"

WRONG = {
    "09.encode": [
        # unknown words get 0
        "out = [ids.get(w, 0) for w in words]\nreturn (out + [0] * length)[:length]",
        # 1 forgotten
        f"out = [ids[w] if w in ids else len(ids) + {HASH} for w in words]\n"
        "return (out + [0] * length)[:length]",
        # not filled up
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return out[:length]",
        # not cut
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return out + [0] * (length - len(out))",
        # filled up in front
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return ([0] * length + out)[-length:]",
        # cut in front
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "out = out[-length:]\nreturn out + [0] * (length - len(out))",
        # unknown words dropped
        "out = [ids[w] for w in words if w in ids]\nreturn (out + [0] * length)[:length]",
        # Python's own hash
        "out = [ids[w] if w in ids else 1 + len(ids) + hash(w) % buckets for w in words]\n"
        "return (out + [0] * length)[:length]",
        # one bucket
        "out = [ids.get(w, 1 + len(ids)) for w in words]\nreturn (out + [0] * length)[:length]",
        # the number of words of the sentence
        f"out = [ids[w] if w in ids else 1 + len(words) + {HASH} for w in words]\n"
        "return (out + [0] * length)[:length]",
        # always the bucket
        f"out = [1 + len(ids) + {HASH} for w in words]\nreturn (out + [0] * length)[:length]",
        # KeyError
        "out = [ids[w] for w in words]\nreturn (out + [0] * length)[:length]",
        # buckets from 1
        f"out = [ids[w] if w in ids else {HASH} for w in words]\n"
        "return (out + [0] * length)[:length]",
        # filled up with the last
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return (out + [out[-1]] * length)[:length]",
        # a tensor
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return torch.tensor((out + [0] * length)[:length])",
        # the modulo over everything
        "out = [ids[w] if w in ids else (1 + len(ids) + zlib.crc32(w.encode())) % buckets\n"
        "       for w in words]\nreturn (out + [0] * length)[:length]",
        # filled up with minus one
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return (out + [-1] * length)[:length]",
        # lower case
        "words = [w.lower() for w in words]\n"
        f"out = [ids[w] if w in ids else 1 + len(ids) + {HASH} for w in words]\n"
        "return (out + [0] * length)[:length]",
    ],
    "09.masked_mean": [
        # padding counts
        "vectors.mean(1)",
        # divided by the length
        "(vectors * (ids != 0)[..., None]).mean(1)",
        # a sum
        "(vectors * (ids != 0)[..., None]).sum(1)",
        # one count for all
        "m = (ids != 0)[..., None]\nreturn (vectors * m).sum(1) / m.sum()",
        # the ids as weights
        "(vectors * ids[..., None]).sum(1) / ids.sum(1, keepdim=True)",
        # the padding only
        "m = (ids == 0)[..., None]\nreturn (vectors * m).sum(1) / m.sum(1)",
        # over the wrong axis
        "m = (ids != 0)[..., None]\nreturn (vectors * m).sum(0) / m.sum(0)",
        # divided without the mask on the sum
        "vectors.sum(1) / (ids != 0).sum(1, keepdim=True)",
        # one mean for all
        "vectors[ids != 0].mean(0)",
        # one more, against division by zero
        "m = (ids != 0)[..., None]\nreturn (vectors * m).sum(1) / (m.sum(1) + 1)",
        # zeros found in the vectors
        "m = (vectors != 0)\nreturn vectors.sum(1) / m.sum(1)",
        # the division broadcast wrongly
        "m = (ids != 0)\nreturn (vectors * m[..., None]).sum(1) / m.sum(1)",
        # the median of words
        "torch.stack([v[i != 0].median(0).values for v, i in zip(vectors, ids)])",
        # the first word
        "vectors[:, 0]",
        # the greatest
        "torch.stack([v[i != 0].max(0).values for v, i in zip(vectors, ids)])",
        # distinct ids only
        "(vectors * (ids != 0)[..., None]).sum(1) / "
        "torch.tensor([len(set(i.tolist()) - {0}) for i in ids])[:, None]",
        # in place
        "vectors[ids == 0] = 0\nreturn vectors.sum(1) / (ids != 0).sum(1, keepdim=True)",
        # mask not expanded
        "m = ids != 0\nreturn (vectors * m).sum(1) / m.sum(1)",
    ],
    "09.idf": [
        # occurrences, not sentences
        "n = len(rows)\nc = torch.bincount(rows.flatten(), minlength=words).float()\nc[0] = 0\n"
        "return torch.log((1 + n) / (1 + c))",
        # padding counted
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "return torch.log((1 + n) / (1 + c))",
        # without the ones
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log(n / c)",
        # upside down
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + c) / (1 + n))",
        # no logarithm
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn (1 + n) / (1 + c)",
        # base 2
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log2((1 + n) / (1 + c))",
        # n is the number of words
        "n = words\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c))",
        # n is the number of ids
        "n = rows.numel()\n"
        "c = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c))",
        # from 1 on
        "n = len(rows)\n"
        "c = torch.tensor([float((rows == w).any(1).sum()) for w in range(1, words + 1)])\n"
        "return torch.log((1 + n) / (1 + c))",
        # the padding's weight is 0
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "r = torch.log((1 + n) / (1 + c))\nr[0] = 0\nreturn r",
        # plus one, as scikit-learn has it
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c)) + 1",
        # without the padding's place
        "n = len(rows)\n"
        "c = torch.tensor([float((rows == w).any(1).sum()) for w in range(1, words)])\n"
        "return torch.log((1 + n) / (1 + c))",
        # the one above only
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log(n / (1 + c))",
        # the frequency
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(1).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn c / n",
        # columns instead of sentences
        "n = len(rows)\nc = torch.tensor([float((rows == w).any(0).sum()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c))",
        # math.log of a mean
        "n = len(rows)\nc = torch.tensor([float((rows == w).any()) for w in range(words)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c))",
        # as many entries as the largest id
        "n = len(rows)\n"
        "c = torch.tensor([float((rows == w).any(1).sum()) for w in range(int(rows.max()) + 1)])\n"
        "c[0] = 0\nreturn torch.log((1 + n) / (1 + c))",
    ],
    "09.inner_step": [
        # uphill
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W + alpha * g.T @ f / len(f), b + alpha * g.mean(0)",
        # a sum
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f, b - alpha * g.sum(0)",
        # no softmax
        "g = (f @ W.T + b) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # b unchanged
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / len(f), b",
        # W unchanged
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\nreturn W, b - alpha * g.mean(0)",
        # no labels
        "g = (f @ W.T + b).softmax(1)\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # softmax over examples
        "g = (f @ W.T + b).softmax(0) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # the sign of the error
        "g = F.one_hot(y, len(b)) - (f @ W.T + b).softmax(1)\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # alpha forgotten
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - g.T @ f / len(f), b - g.mean(0)",
        # the gradients
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\nreturn g.T @ f / len(f), g.mean(0)",
        # divided by S and N, as .mean() would
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / g.numel(), b - alpha * g.mean()",
        # b summed, W a mean
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.sum(0)",
        # the bias left out of the logits
        "g = (f @ W.T).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # W summed, b a mean
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W - alpha * g.T @ f, b - alpha * g.mean(0)",
        # transposed
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\n"
        "return W.T - alpha * f.T @ g / len(f), b - alpha * g.mean(0)",
        # squared error
        "z = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\ng = 2 * z\n"
        "return W - alpha * g.T @ f / len(f), b - alpha * g.mean(0)",
        # the loss instead of its gradient
        "loss = F.cross_entropy(f @ W.T + b, y)\nreturn W - alpha * loss, b - alpha * loss",
        # W first, then b at the new W
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\nW = W - alpha * g.T @ f / len(f)\n"
        "g = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))\nreturn W, b - alpha * g.mean(0)",
    ],
}
