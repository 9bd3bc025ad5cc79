"""Networks: shapes, any number of channels, any rate, ONNX and eight bits."""

import numpy as np
import pytest

from nissl.errors import BadArgumentError, CorruptSourceError, SourceNotFoundError
from nissl.nets.inference import Network

torch = pytest.importorskip("torch")

from nissl.nets.context import KINDS, ContextNet, ContextSettings  # noqa: E402
from nissl.nets.encoder import EncoderSettings  # noqa: E402
from nissl.nets.onnx_files import exported, quantised  # noqa: E402
from nissl.nets.unet1d import UNet1d, UNetSettings  # noqa: E402

SMALL = EncoderSettings(width=8, strides=(4, 4))


def made(make, *args):
    torch.manual_seed(0)
    net = make(*args)
    with torch.no_grad():  # statistics of a batch that is not the one shown later
        net.train()
        net(noise(4, 2, 128) if make is UNet1d else noise(2, 6, 2, 128))
    return net.eval()


def noise(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("vote", ["mean", "attention"])
def test_segmenter_takes_any_number_of_channels_in_any_order(vote):
    net = made(UNet1d, UNetSettings(3, period=16, vote=vote))
    x = noise(2, 5, 256)
    said = net(x)
    assert said.shape == (2, 3, 16)
    assert torch.allclose(said.exp().sum(dim=1), torch.ones(2, 16), atol=1e-5)
    assert torch.allclose(net(x[:, [3, 1, 0, 4, 2]]), said, atol=1e-5)
    assert net(x[:, :1]).shape == (2, 3, 16)


def test_a_channel_that_is_not_heard_says_nothing():
    for net, x in (
        (made(UNet1d, UNetSettings(2, period=8)), noise(2, 3, 128)),
        (made(ContextNet, ContextSettings(2, encoder=SMALL)), noise(2, 5, 3, 128)),
    ):
        silent = x.clone()
        silent[..., 1, :] = float("nan")
        two = x[..., [0, 2], :]
        assert torch.allclose(net(silent), net(two), atol=1e-4)
        silent[:] = float("nan")
        assert torch.isfinite(net(silent)).all()


def test_settings_that_cannot_be():
    for make in (
        lambda: UNetSettings(2, kernel=4),
        lambda: UNetSettings(2, vote="loudest"),
        lambda: ContextSettings(2, kind="crystal"),
        lambda: ContextSettings(2, width=30),
        lambda: EncoderSettings(width=1),
    ):
        with pytest.raises(BadArgumentError):
            make()
    assert UNetSettings(2, period=100, pools=(4, 4, 4)).multiple == 1600


@pytest.mark.parametrize("kind", KINDS)
def test_context_over_epochs_of_any_number_survives_onnx(kind):
    net = made(ContextNet, ContextSettings(5, kind=kind, width=16, encoder=SMALL))
    header = {"kind": "context", "rate_hz": 100.0}
    axes = {0: "n", 1: "epochs", 2: "channels"}
    model = Network(exported(net, noise(1, 6, 2, 128).numpy(), header, varying=axes))
    assert model.header == header
    for shape in ((1, 6, 2, 128), (3, 11, 1, 128), (2, 4, 5, 128)):
        x = noise(*shape, seed=1)
        with torch.no_grad():
            want = net(x).numpy()
        assert want.shape == (shape[0], 5, shape[1])
        assert np.allclose(model(x.numpy()), want, atol=1e-4)


def test_segmenter_survives_onnx_and_eight_bits_and_pickling():
    import pickle

    net = made(UNet1d, UNetSettings(3, period=8, width=8))
    x = noise(2, 3, 512, seed=2)
    data = exported(
        net, x[:1].numpy(), {"kind": "segmenter"}, varying={0: "n", 1: "channels", 2: "samples"}
    )
    model, small = Network(data), Network(quantised(data))
    with torch.no_grad():
        want = net(x).numpy()
    assert np.allclose(model(x.numpy()), want, atol=1e-4)
    assert np.array_equal(pickle.loads(pickle.dumps(model))(x.numpy()), model(x.numpy()))
    assert small.header == model.header
    assert np.abs(np.exp(small(x.numpy())) - np.exp(want)).max() < 0.05
    assert len(model.digest) == 64


def test_other_files_are_refused(tmp_path):
    with pytest.raises(SourceNotFoundError):
        Network.read(tmp_path / "none.onnx")
    with pytest.raises(CorruptSourceError):
        _ = Network(b"not a model").header
