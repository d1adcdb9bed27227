"""The small transformer: causal, exact where it can be compared, and differentiable twice."""

import pytest
import torch

from course_lib.language_models.tiny_gpt import Attention, Size, TinyGPT, in_order

SMALL = Size(words=30, layers=2, width=16, heads=4, context=12)


@pytest.fixture
def model():
    return TinyGPT(SMALL, seed=0).double()


def tokens(*shape, seed=0):
    return torch.randint(30, shape, generator=torch.Generator().manual_seed(seed))


def test_shapes_and_attention(model):
    scores, attention = model.look(tokens(3, 7))
    assert scores.shape == (3, 7, 30) and len(attention) == 2
    for looks in attention:
        assert looks.shape == (3, 4, 7, 7)
        torch.testing.assert_close(looks.sum(-1), torch.ones(3, 4, 7, dtype=torch.double))
        assert (looks.triu(1) == 0).all(), "a token looked ahead"


def test_later_tokens_change_nothing_before_them(model):
    one, other = tokens(1, 9), tokens(1, 9)
    other[0, 6:] = (other[0, 6:] + 1) % 30
    torch.testing.assert_close(model(one)[:, :6], model(other)[:, :6], rtol=0, atol=1e-12)
    assert not torch.allclose(model(one)[:, 6:], model(other)[:, 6:])


def test_only_distance_counts_not_place(model):
    """Without a beginning in sight, moving a prompt changes nothing: with one layer the last token
    sees the same differences."""
    attention = Attention(SMALL).double()
    x = torch.randn(1, 8, 16, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    scores = attention(x, *in_order(x.shape[1]))[1][0, 0]
    steep, flat = scores[-1], attention(x, *in_order(x.shape[1]))[1][0, 3][-1]
    q, k = (
        project(x).view(1, 8, 4, 4).transpose(1, 2)[0, :, :]
        for project in (attention.q, attention.k)
    )
    raw = q[:, -1:] @ k.mT / 2
    away = torch.arange(7, -1, -1, dtype=torch.double)
    torch.testing.assert_close(steep, (raw[0, 0] - 1.0 * away).softmax(-1))
    torch.testing.assert_close(flat, raw[3, 0].softmax(-1))


def test_attention_equals_torchs_own():
    attention = Attention(SMALL).double()
    x = torch.randn(2, 6, 16, dtype=torch.double)
    q, k, v = (
        project(x).view(2, 6, 4, 4).transpose(1, 2)
        for project in (attention.q, attention.k, attention.v)
    )
    here = torch.arange(6)
    bias = -attention.slopes[:, None, None] * (here[:, None] - here)
    bias = bias.masked_fill(here[:, None] < here, -torch.inf).double()
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
    torch.testing.assert_close(
        attention(x, *in_order(x.shape[1]))[0],
        attention.out(wanted.transpose(1, 2).reshape(2, 6, 16)),
    )


def test_a_soft_prompt_made_of_word_vectors_is_that_prompt(model):
    whole = tokens(2, 8)
    soft = model.embedding(whole[:, :3])
    torch.testing.assert_close(model(whole[:, 3:], soft), model(whole)[:, 3:])
    torch.testing.assert_close(model(whole[:1, 3:], soft[0]), model(whole[:1])[:, 3:])


def test_second_derivatives_exist_and_are_right(model):
    """A gradient step's own gradient against a finite difference: fused attention would refuse
    it."""
    ids = tokens(2, 6)

    def slope():
        loss = torch.nn.functional.cross_entropy(model(ids)[:, -1], torch.tensor([1, 2]))
        return torch.autograd.grad(loss, list(model.parameters()), create_graph=True)

    weight = model.blocks[0].attention.q.weight
    length = sum((g**2).sum() for g in slope())
    (second,) = torch.autograd.grad(length, weight)
    with torch.no_grad():
        weight[0, 0] += 1e-5
    up = sum((g**2).sum() for g in slope())
    with torch.no_grad():
        weight[0, 0] -= 2e-5
    down = sum((g**2).sum() for g in slope())
    assert second[0, 0].item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-5)
    assert second.abs().max() > 0


def test_the_seed_decides_the_start_and_leaves_torch_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (TinyGPT(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_the_untrained_model_knows_nothing():
    model = TinyGPT(Size(words=400), seed=0)
    loss = torch.nn.functional.cross_entropy(model(tokens(4, 20)).flatten(0, 1), tokens(80, seed=1))
    assert loss.item() == pytest.approx(torch.tensor(400.0).log().item(), abs=0.35)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"heads": 5, "slopes": (1.0,) * 5}, "divide"),
        ({"slopes": (1.0, 0.5)}, "one slope a head"),
        ({"layers": 0}, "at least 1"),
    ],
)
def test_impossible_sizes_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Size(words=30, **({"width": 16} | wrong))


def test_too_long_a_prompt_is_refused(model):
    with pytest.raises(ValueError, match="13 tokens and the model reads 12"):
        model(tokens(1, 13))
    with pytest.raises(ValueError, match="13 tokens"):
        model(tokens(1, 10), torch.zeros(3, 16, dtype=torch.double))


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU: the small transformer was not tried on one"
)
def test_on_a_gpu():
    model = TinyGPT(SMALL, seed=0)
    here = model(tokens(2, 7))
    torch.testing.assert_close(model.cuda()(tokens(2, 7).cuda()).cpu(), here, rtol=1e-4, atol=1e-4)
