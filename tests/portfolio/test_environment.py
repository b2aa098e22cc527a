"""The batched environment: parity with the backtest, conventions of the libraries, rewards."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from fisc.data import DataError
from fisc.portfolio import Market, PortfolioEnv, PortfolioVecEnv, backtest, baselines, rewards
from fisc.portfolio.simulation import Simulation, softmax_weights, window_table
from fisc.portfolio.worlds import iid_market

GOLDEN = json.loads((Path(__file__).parent / "vectors" / "golden.json").read_text())
PARITY = 1e-12


@pytest.fixture(scope="module")
def market() -> Market:
    rng = np.random.default_rng(0)
    close = np.exp(rng.normal(0.0003, 0.015, (400, 5)).cumsum(axis=0))
    return Market.from_prices(
        close,
        high=close * 1.01,
        low=close * 0.99,
        open=close,
        tradable=rng.random(close.shape) > 0.05,
        cash_rate=1e-4,
    )


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize("based", [False, True])
def test_environment_equals_backtest(market: Market, lag: int, based: bool) -> None:
    rng = np.random.default_rng(lag)
    base = baselines.path(market, "inverse_volatility", buy=0.001, sell=0.003, window=30) if based else None
    n, steps = 4, 40
    envs = PortfolioVecEnv(
        market,
        n_envs=n,
        window=20,
        episode=steps,
        reward="log_return",
        observation="index",
        buy=0.001,
        sell=0.003,
        lag=lag,
        seed=1,
        base=base,
    )
    starts = envs.reset()[:, 0].astype(int)
    actions = rng.normal(0, 2, (steps, n, 6)).astype(np.float32)
    net, score = np.empty((steps, n)), np.empty((steps, n))
    for k in range(steps):
        _, score[k], dones, infos = envs.step(actions[k])
        net[k] = envs.simulation.net
    assert dones.all()
    for e, start in enumerate(starts):
        targets = {
            start + k: softmax_weights(actions[k, e], None if base is None else base[start + k])
            for k in range(steps)
        }
        result = backtest(
            market, targets, buy=0.001, sell=0.003, lag=lag, start=start, stop=start + steps + 1
        )
        np.testing.assert_allclose(net[:, e], result.net_returns, rtol=0, atol=PARITY)
        np.testing.assert_allclose(score[:, e], np.log1p(net[:, e]), rtol=1e-6)
        assert infos[e]["episode"]["wealth"] == pytest.approx(result.wealth.iloc[-1], abs=PARITY)


def test_band_leaves_small_trades_out(market: Market) -> None:
    env = PortfolioEnv(
        market, window=20, episode=5, band=0.2, reward="turnover", observation="index", initial="equal"
    )
    env.reset(seed=0)
    env.step(np.array([-30.0, 0, 0, 0, 0, 0]))
    before = env.simulation.weights.copy()
    assert before[0, 1:].min() + 0.01 > 0.199
    env.step(np.array([30.0, 0, 0, 0, 0, 0]))
    assert env.simulation.weights[0, 0] > 0.7  # frozen assets may stay


def test_checkers_of_both_libraries_pass(market: Market) -> None:
    for observation in ("dense", "index"):
        with warnings.catch_warnings():
            # Both recommend actions in [-1, 1]; logits are what a softmax takes.
            warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
            gymnasium_check(PortfolioEnv(market, window=20, observation=observation), skip_render_check=True)
            sb3_check(PortfolioEnv(market, window=20, observation=observation))


def test_dense_observation_is_the_window_and_the_tail(market: Market) -> None:
    envs = PortfolioVecEnv(market, n_envs=3, window=10, episode=30, seed=0)
    first = envs.reset()
    t = envs.simulation.t.copy()
    shape = (4, 10, 5)
    fields = [np.log(x) for x in (market.close, market.high, market.low, market.open) if x is not None]
    for e in range(3):
        for f, field in enumerate(fields):
            expected = field[t[e] - 9 : t[e] + 1] - fields[0][t[e]]
            np.testing.assert_allclose(first[e, : 4 * 10 * 5].reshape(shape)[f], expected, atol=1e-6)
    assert first[:, 200:206].tolist() == [[1, 0, 0, 0, 0, 0]] * 3
    assert (first[:, 206] == 1.0).all()  # all of the episode is left
    assert first.shape == (3, 200 + 6 + 1 + 3)
    assert first.dtype == np.float32


def test_observation_stays_until_the_step_after_the_next(market: Market) -> None:
    envs = PortfolioVecEnv(market, n_envs=2, window=10, episode=30, seed=0)
    first = envs.reset()
    kept = first.copy()
    envs.step(np.zeros((2, 6), dtype=np.float32))
    np.testing.assert_array_equal(first, kept)


def test_end_of_episode_is_a_truncation_with_the_last_observation(market: Market) -> None:
    envs = PortfolioVecEnv(market, n_envs=2, window=10, episode=3, seed=0, observation="index")
    start = envs.reset()[:, 0].copy()
    total = np.zeros(2)
    for k in range(3):
        observations, reward, dones, infos = envs.step(np.ones((2, 6), dtype=np.float32))
        total += reward
        assert dones.tolist() == [k == 2] * 2
    for e in range(2):
        info = infos[e]
        assert info["TimeLimit.truncated"] is True
        assert info["terminal_observation"][0] == start[e] + 3
        assert info["terminal_observation"][7] == 0.0  # nothing of the episode is left
        assert info["episode"]["r"] == pytest.approx(total[e])
        assert observations[e, 1] == 1.0  # the new episode starts in cash
        assert observations[e, 7] == 1.0


def test_same_seed_same_episodes_and_starts_cover_the_data(market: Market) -> None:
    def starts(seed: int) -> Any:
        return PortfolioVecEnv(market, n_envs=2000, window=20, episode=100, seed=seed).reset()[:, :0].shape, (
            PortfolioVecEnv(
                market, n_envs=2000, window=20, episode=100, seed=seed, observation="index"
            ).reset()[:, 0]
        )

    first, second, other = starts(0)[1], starts(0)[1], starts(1)[1]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first.min() == 19
    assert first.max() == 399 - 100
    envs = PortfolioVecEnv(market, n_envs=3, window=20, observation="index", seed=5)
    one = envs.reset().copy()
    envs.seed(7)
    two = envs.reset().copy()
    envs.seed(7)
    np.testing.assert_array_equal(envs.reset(), two)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("index", range(6))
def test_any_single_position_is_reachable(index: int) -> None:
    logits = np.full(6, -10.0)
    logits[index] = 10.0
    assert softmax_weights(logits)[index] > 0.999
    base = np.full(6, 0.2)
    base[index] = 0.0  # even where the base holds nothing
    assert softmax_weights(2.0 * logits, base)[index] > 0.999


def test_zero_logits_hold_the_base() -> None:
    base = np.array([0.0, 0.5, 0.3, 0.2])
    np.testing.assert_allclose(softmax_weights(np.zeros(4), base), base, atol=2e-8)


def test_stable_baselines_trains_on_it(market: Market) -> None:
    from stable_baselines3 import PPO

    envs = PortfolioVecEnv(market, n_envs=8, window=10, episode=16, seed=0)
    model = PPO("MlpPolicy", envs, n_steps=16, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(256)
    assert model.num_timesteps == 256
    assert len(model.ep_info_buffer) > 0  # our own episode records are found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 400}, "window=400 closes is longer than the data"),
        ({"episode": 390}, "episode=390 steps is longer than the data"),
        ({"reward": "sharpee"}, "did you mean"),
        ({"observation": "sparse"}, "observation='sparse' is not an option"),
        ({"n_envs": 0}, "n_envs=0"),
        ({"buy": 1.0}, r"outside \[0, 1\)"),
        ({"initial": "base"}, "needs a base portfolio"),
        ({"base": np.ones((3, 3))}, "base has shape"),
        ({"band": 1.0}, "band=1.0"),
        ({"rows": (0, 1000)}, "not a span"),
        ({"lag": -1}, "lag=-1"),
    ],
)
def test_bad_options(market: Market, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        PortfolioVecEnv(market, **{"n_envs": 2, "window": 20, **options})


def test_bad_steps(market: Market) -> None:
    simulation = Simulation(market, n_envs=2, window=20, episode=2, seed=0)
    simulation.reset()
    with pytest.raises(DataError, match="expected \\(2, 6\\)"):
        simulation.step(np.zeros((2, 5)))
    with pytest.raises(DataError, match="NaN"):
        simulation.step(np.full((2, 6), np.nan))
    simulation.step(np.zeros((2, 6)))
    simulation.step(np.zeros((2, 6)))
    with pytest.raises(DataError, match="call reset"):
        simulation.step(np.zeros((2, 6)))
    with pytest.raises(DataError, match="start=5 is outside"):
        simulation.reset(start=5)


def test_window_table_is_zero_before_a_whole_window(market: Market) -> None:
    table = window_table(market, 30)
    assert (table[:29] == 0).all()
    assert (table[29] != 0).any()


# Rewards


def test_differential_sharpe_is_golden_and_the_derivative_it_claims() -> None:
    golden = GOLDEN["dsr"]
    value = rewards.differential_sharpe(golden["R"], golden["A"], golden["B"])
    assert value == pytest.approx(golden["D"], abs=1e-12)
    eta = 1e-7

    def sharpe(a: float, b: float) -> float:
        return float(a / np.sqrt(b - a**2))

    moved = sharpe(
        golden["A"] + eta * (golden["R"] - golden["A"]), golden["B"] + eta * (golden["R"] ** 2 - golden["B"])
    )
    assert (moved - sharpe(golden["A"], golden["B"])) / eta == pytest.approx(value, rel=1e-5)


def test_differential_sharpe_moves_both_averages() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.01, 20)
    A, B, eta, expected = 0.0005, 0.0002, 1 / 60, []
    for R in returns:
        expected.append((B * (R - A) - A * (R**2 - B) / 2) / (B - A**2) ** 1.5)
        A, B = A + eta * (R - A), B + eta * (R**2 - B)
    kind = rewards.Reward("differential_sharpe", eta=eta)
    found = rewards.sequence(kind, returns, state=[0.0005, 0.0002, 0.0, 0.0])
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_telescoping_reward_adds_up_to_the_episode_sharpe() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.01, 128)
    total = rewards.sequence("telescoping_sharpe", returns).sum()
    assert total == pytest.approx(np.sqrt(252) * returns.mean() / returns.std(ddof=1), abs=1e-10)
    shuffled = np.random.default_rng(1).permutation(returns)
    assert rewards.sequence("telescoping_sharpe", shuffled).sum() == pytest.approx(total, abs=1e-10)


def test_average_sharpe_is_the_papers() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.01, 16)
    logs = np.concatenate([[0.0], np.log1p(returns)])
    expected = [np.sqrt(252) * logs[: k + 1].mean() / (logs[: k + 1].std() + 1e-7) / 16 for k in range(1, 17)]
    np.testing.assert_allclose(rewards.sequence("average_sharpe", returns), expected, rtol=1e-9)


def test_simple_rewards_have_their_formulas() -> None:
    returns = np.array([0.02, -0.03, 0.01])
    np.testing.assert_allclose(rewards.sequence("log_return", returns), np.log1p(returns))
    kind = rewards.Reward("mean_variance", risk_aversion=4.0)
    np.testing.assert_allclose(rewards.sequence(kind, returns), returns - 2 * returns**2)
    kind = rewards.Reward("turnover", penalty=0.5)
    np.testing.assert_allclose(rewards.sequence(kind, returns, turnover=0.1), np.log1p(returns) - 0.05)
    kind = rewards.Reward("drawdown", penalty=2.0)
    fall = -np.log1p(-0.03)
    np.testing.assert_allclose(rewards.sequence(kind, returns), np.log1p(returns) - [0, 2 * fall, 0])


def test_correlations_with_the_true_sharpe_agree_with_the_reference() -> None:
    table, golden = rewards.correlation_table(), GOLDEN["corr_with_true_sharpe"]
    for ours, theirs, tolerance in (
        ("average_sharpe", "reference mean of running Sharpe", 0.02),
        ("telescoping_sharpe", "telescoping increments (gamma=1)", 1e-9),
        ("log_return", "sum of log-return", 0.002),
        ("differential_sharpe, eta 1/60", "sum of DSR eta=1/60, warm start", 0.02),
        ("differential_sharpe, eta 1/252", "sum of DSR eta=1/252, warm start", 0.003),
        ("mean_variance, lambda = mean/variance", "sum of (r - lam/2 r^2), lam=mu/var", 0.002),
    ):
        assert table.loc[ours, "sum"] == pytest.approx(golden[theirs], abs=tolerance), ours
    assert table.loc["average_sharpe", "discounted sum"] == pytest.approx(
        golden["reference, discounted .99"], abs=0.03
    )


def test_environment_rewards_are_the_sequences(market: Market) -> None:
    for name in rewards.NAMES:
        envs = PortfolioVecEnv(
            market, n_envs=2, window=20, episode=30, reward=name, observation="index", seed=0
        )
        envs.reset()
        state = envs.simulation.state[0].copy()
        net, got, turned = [], [], []
        rng = np.random.default_rng(0)
        for _ in range(30):
            before = envs.simulation.weights[0].copy()
            _, reward, _, _ = envs.step(rng.normal(size=(2, 6)).astype(np.float32))
            got.append(reward[0])
            net.append(envs.simulation.net[0])
            turned.append(before)
        if name == "turnover":
            continue
        np.testing.assert_allclose(rewards.sequence(name, net, state=state), got, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("options", [{"eta": 0.0}, {"penalty": -1.0}, {"warm_up": 1}, {"name": "sharp"}])
def test_bad_rewards(options: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        rewards.Reward(**options)


def test_snapshot_goes_on_bit_by_bit() -> None:
    simulation = Simulation(iid_market(200, 3), n_envs=4, window=10, episode=8, seed=0)
    simulation.reset()
    actions = np.random.default_rng(0).normal(size=(20, 4, 4))

    def run(rows: Any) -> list[Any]:
        found = []
        for action in rows:
            reward, ended = simulation.step(action)
            found.append(reward)
            if ended.any():
                simulation.reset(np.flatnonzero(ended))
        return found

    run(actions[:10])
    kept = simulation.snapshot()
    first = run(actions[10:])
    simulation.restore(kept)
    np.testing.assert_array_equal(run(actions[10:]), first)
