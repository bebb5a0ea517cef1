"""Puts the rooms together. Only here is it known which connector a venue's file asks for."""

from aggregator.assembly.demo import demo
from aggregator.assembly.loading import (
    config_folder,
    load_connector,
    market_data,
    recorded_conversations,
    recorded_instruments,
)
from aggregator.assembly.service import Service, policy
from aggregator.assembly.simulated import SimulatedVenues, simulate

__all__ = [
    "Service",
    "SimulatedVenues",
    "config_folder",
    "demo",
    "load_connector",
    "market_data",
    "policy",
    "recorded_conversations",
    "recorded_instruments",
    "simulate",
]
